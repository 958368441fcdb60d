"""What ``cdi why`` answers, by example; and when the next attempt is."""

from __future__ import annotations

import datetime
import json
from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume
from cdi.cli import describe, why
from cdi.cli.diagnosis import Answer, diagnose
from cdi.cli.story import Story, Worker
from cdi.cli.telling import next_attempt
from cdi.cli.view import View

NOW = datetime.datetime(2026, 1, 1, 12, 0, 0, tzinfo=datetime.UTC)
STORY = Story(disk="claim ns/disk", continues="It goes on by itself.")
NOT_FOUND = "answered 404. [SourceNotFound] The file is not there. Try: correct the URL."
FAILURE = {"code": "SourceNotFound", "permanent": True, "since": "2026-01-01T11:00:00Z", "attempts": 3}


def view(phase: str = "", **status: Any) -> View:
    document = {"metadata": {"name": "disk", "namespace": "ns"}, "status": {"phase": phase, **status}}
    return View(msgspec.convert(document, DataVolume), document)


def condition(kind: str, status: str, reason: str = "", message: str = "") -> dict[str, str]:
    return {"type": kind, "status": status, "reason": reason, "message": message}


def failed(**failure: Any) -> View:
    running = condition("Running", "False", "Error", NOT_FOUND)
    return view("ImportInProgress", conditions=[running], failure=FAILURE | failure)


def story(**more: Any) -> Story:
    return Story(disk=STORY.disk, continues=STORY.continues, **more)


def unbound(reason: str, message: str = "no", phase: str = "Pending") -> View:
    return view(phase, conditions=[condition("Bound", "False", reason, message)])


CASES = {
    "nothing said yet": (view(), STORY, "New"),
    "whole": (view("Succeeded"), STORY, "Succeeded"),
    "being deleted, though whole": (view("Succeeded"), story(is_being_deleted=True), "Deleting"),
    "held": (failed(), STORY, "SourceNotFound"),
    "failed for good without a code": (
        view("Failed", conditions=[condition("Running", "False", "ChecksumError", "mismatch")]),
        STORY,
        "ChecksumError",
    ),
    "moving": (view("ImportInProgress"), STORY, "InProgress"),
    "nobody consumes": (view("PendingPopulation"), STORY, "WaitForFirstConsumer"),
    "nobody consumes, as the claim's events say": (
        view("Pending"),
        story(waits_for_consumer=True),
        "WaitForFirstConsumer",
    ),
    "nobody consumes, and there is no quota either": (
        unbound("ErrExceededQuota", phase="WaitForFirstConsumer"),
        STORY,
        "ErrExceededQuota",
    ),
    "no claim": (unbound("ErrClaimNotValid"), STORY, "ErrClaimNotValid"),
    "no volume yet": (unbound("Pending", "PVC disk Pending"), STORY, "Pending"),
    "no node": (
        view("ImportScheduled"),
        story(worker=Worker("w", "Pending", unschedulable="no memory")),
        "Unschedulable",
    ),
    "no image": (view("ImportScheduled"), story(worker=Worker("w", "Pending", waiting="ErrImagePull")), "ErrImagePull"),
    "starting": (
        view("ImportScheduled"),
        story(worker=Worker("w", "Pending", waiting="ContainerCreating")),
        "ImportScheduled",
    ),
    "nobody works on it": (view("Pending"), story(is_worked_on=False), "Stopped"),
}


@pytest.mark.parametrize("case", CASES)
def test_a_state_has_one_cause(case: str) -> None:
    found, around, code = CASES[case]
    answer = diagnose(found, around)
    assert answer.code == code
    assert all(answer.says)


def test_a_failure_is_told_with_its_count_and_the_remedy_apart() -> None:
    answer = diagnose(failed(), STORY)
    assert answer == Answer(
        "SourceNotFound",
        (
            "It fails since 2026-01-01T11:00:00Z, 3 attempts; this needs you:",
            "  answered 404. [SourceNotFound] The file is not there.",
            "It goes on by itself.",
        ),
        "correct the URL.",
    )
    assert "may pass by itself" in diagnose(failed(permanent=False), STORY).says[0]
    assert diagnose(failed(attempts=1), STORY).says[0].endswith(", 1 attempt; this needs you:")


@pytest.mark.parametrize(
    ("at", "said"),
    [
        ("2026-01-01T12:00:12Z", "in 12 s"),
        ("2026-01-01T12:00:00.100000Z", "in 1 s"),
        ("2026-01-01T12:05:00Z", "in 5 min 00 s"),
        ("2026-01-01T12:00:00Z", ""),
        ("2026-01-01T11:00:00Z", ""),
        ("", ""),
    ],
)
def test_the_next_attempt_is_told_while_it_lies_ahead(at: str, said: str) -> None:
    found = failed(nextAttempt=at)
    assert next_attempt(found, NOW) == said
    assert (f"\nNext attempt {said}.\n" in why.as_text(found, STORY, diagnose(found, STORY), NOW)) == bool(said)
    rows = [line.split(maxsplit=2) for line in describe.description(found, STORY, NOW).splitlines()]
    assert (["Next", "attempt:", said] in rows) == bool(said)


def test_no_attempt_is_planned_for_what_did_not_fail() -> None:
    assert next_attempt(view("ImportInProgress"), NOW) == ""


def test_the_answer_as_json_has_what_a_script_needs() -> None:
    found = failed(nextAttempt="2026-01-01T12:00:12Z")
    record = json.loads(why.as_json(found, STORY, diagnose(found, STORY)))
    assert (record["name"], record["phase"], record["code"]) == ("ns/disk", "ImportInProgress", "SourceNotFound")
    assert (record["nextAttempt"], record["remedy"]) == ("2026-01-01T12:00:12Z", "correct the URL.")
    assert record["story"]["disk"] == "claim ns/disk"
