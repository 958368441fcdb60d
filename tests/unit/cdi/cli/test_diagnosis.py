"""What ``cdi why`` answers."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume
from cdi.cli.diagnosis import diagnose
from cdi.cli.story import Story, Worker
from cdi.cli.view import View

STORY = Story("claim vms/disk", "It goes on by itself.")
FAILED = "Unable to connect to http data source: 404 [SourceNotFound] it is not there. Try: correct the URL."


def view(phase: str, failure: dict[str, Any] | None = None, **conditions: tuple[str, str, str]) -> View:
    found = [
        {"type": kind, "status": status, "reason": reason, "message": message}
        for kind, (status, reason, message) in conditions.items()
    ]
    status = {"phase": phase, "conditions": found} | ({"failure": failure} if failure else {})
    document = {"metadata": {"name": "disk", "namespace": "vms"}, "spec": {}, "status": status}
    return View(msgspec.convert(document, DataVolume), document)


WORKER = Worker("importer-disk", "Pending", "", 0, "ImagePullBackOff", "no such image", "", "", "")


@pytest.mark.parametrize(
    ("seen", "story", "code", "said"),
    [
        (view("Succeeded"), STORY, "Succeeded", "claim vms/disk"),
        (view("Pending"), Story("", "", is_being_deleted=True), "Deleting", "being deleted"),
        (view("PendingPopulation", Bound=("False", "Pending", "")), STORY, "WaitForFirstConsumer", "first pod"),
        (view("", Bound=("False", "ErrClaimNotValid", "no class")), STORY, "ErrClaimNotValid", "no class"),
        (view("Pending", Bound=("False", "ErrExceededQuota", "too much")), STORY, "ErrExceededQuota", "too much"),
        (view("ImportScheduled"), Story("", "", worker=WORKER), "ImagePullBackOff", "no such image"),
        (view("ImportInProgress", Running=("True", "Pod is running", "")), STORY, "InProgress", "on its way"),
        (view("ImportScheduled"), STORY, "ImportScheduled", "about to start"),
    ],
    ids=lambda value: value if isinstance(value, str) and " " not in value else None,
)
def test_every_state_has_an_answer(seen: View, story: Story, code: str, said: str) -> None:
    answer = diagnose(seen, story)
    assert answer.code == code
    assert said in " ".join(answer.says)


def test_a_failure_is_told_with_its_remedy_and_when_it_is_tried_again() -> None:
    failure = {
        "code": "SourceNotFound",
        "permanent": True,
        "since": "2026-01-01T00:00:00Z",
        "attempts": 3,
        "nextAttempt": "2026-01-01T00:02:00Z",
    }
    answer = diagnose(view("ImportInProgress", failure, Running=("False", "Error", FAILED)), STORY)
    text = " ".join(answer.says)
    assert (answer.code, answer.remedy) == ("SourceNotFound", "correct the URL.")
    assert "needs you" in text
    assert "3 attempts" in text
    assert "The next attempt is at 2026-01-01T00:02:00Z." in text
