"""A clone's plan in lines for people."""

from __future__ import annotations

import datetime

import msgspec
import pytest

from cdi.api.datavolume import Clone, DataVolume, RejectedMethod
from cdi.cli import describe, why
from cdi.cli.clone_plan import plan_lines
from cdi.cli.diagnosis import diagnose
from cdi.cli.story import Story
from cdi.cli.view import View

COPY = Clone(
    "copy",
    rejected=[RejectedMethod("snapshot", "IncompatibleProvisioners", "Provisioners are incompatible")],
    moves_at_most=1 << 30,
)


def test_it_says_the_method_what_it_costs_and_why_no_other() -> None:
    assert list(plan_lines(COPY)) == [
        "Plan: copy, pods copy the data; at most 1 GiB (1,073,741,824 bytes), less where there are holes.",
        "  not snapshot (IncompatibleProvisioners): Provisioners are incompatible",
    ]


@pytest.mark.parametrize(
    ("clone", "line"),
    [
        (Clone("snapshot", snapshot_class="snaps", then=["copy"]), "  snapshot of class snaps"),
        (Clone("csi-clone", then=["snapshot", "copy"]), "  if that fails for good: snapshot, then copy"),
        (Clone("csi-clone", expands=True), "  made as large as the source, then grown to the size asked for"),
        (Clone("csi-clone", asked="csi-clone"), "  asked for by annotation cloneType: csi-clone"),
        (Clone("copy", restore_class="fast"), "  the snapshot is restored by storage class fast first"),
        (Clone(rejected=COPY.rejected), "Plan: none, no method is left."),
        (Clone("magic"), "Plan: magic, a method of another version; no bytes pass through pods."),
    ],
)
def test_it_says_what_is_special(clone: Clone, line: str) -> None:
    assert line in list(plan_lines(clone))


def test_why_and_describe_tell_it() -> None:
    document = {"metadata": {"name": "disk", "namespace": "ns"}, "status": {"phase": "CloneInProgress"}}
    volume = msgspec.structs.replace(msgspec.convert(document, DataVolume))
    volume.status.clone = COPY
    view, story = View(volume, document), Story(disk="claim ns/disk", continues="It goes on by itself.")
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    line = "Plan: copy, pods copy the data; at most 1 GiB"
    assert line in why.as_text(view, story, diagnose(view, story), now)
    assert line in describe.description(view, story, now)
    assert '"method": "copy"' in why.as_json(view, story, diagnose(view, story))
