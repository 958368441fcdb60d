"""Following volumes: what is shown, how it ends, and with which exit code."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume
from cdi.base.faults import CATALOGUE, Exit
from cdi.cli import overview, watch
from cdi.cli.local_place import LocalPlace
from cdi.cli.names import Name
from cdi.cli.view import View

HERE = LocalPlace(Path("/data"), "ns")


def view(phase: str, code: str = "", permanent: bool = True, name: str = "disk", generation: int = 0) -> View:
    """``generation``: of the object; that of its failure is 1."""
    status: dict[str, Any] = {"phase": phase}
    if code:
        failure = {"code": code, "permanent": permanent, "since": "2026-01-01T00:00:00Z", "attempts": 1}
        failure |= {"generation": 1} if generation else {}
        running = {"type": "Running", "status": "False", "reason": "Error", "message": f"[{code}] it broke."}
        status |= {"failure": failure, "conditions": [running]}
    document = {"metadata": {"name": name, "namespace": "ns", "generation": generation}, "status": status}
    return View(msgspec.convert(document, DataVolume), document)


def test_a_volume_is_followed_until_it_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    changes = iter([view("Pending"), view("ImportScheduled"), view("Succeeded"), view("Pending")])
    assert watch.followed(changes, as_json=False, out=sys.stdout) == Exit.OK
    assert capsys.readouterr().out.splitlines() == ["disk: Pending", "disk: ImportScheduled", "disk: Succeeded"]
    assert next(changes).phase == "Pending"  # what comes afterwards is not asked for


def test_a_failure_that_may_pass_is_waited_out(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [view("ImportInProgress", "SourceUnavailable", permanent=False), view("Succeeded")]
    assert watch.followed(changes, as_json=False, out=sys.stdout) == Exit.OK
    assert "[SourceUnavailable]" in capsys.readouterr().out


@pytest.mark.parametrize("code", ["SourceNotFound", "ChecksumMismatch", "ClusterRefused", "TargetTooSmall"])
def test_the_exit_code_is_that_of_the_fault(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch.followed([view("ImportInProgress", code)], as_json=False, out=sys.stderr) == CATALOGUE[code].exit
    assert capsys.readouterr().out == f"ns/disk: [{code}] it broke.\n"


def test_what_was_corrected_is_followed_although_it_failed_before(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [view("ImportInProgress", "SourceNotFound", generation=2), view("Succeeded", generation=2)]
    assert watch.followed(changes, as_json=False, out=sys.stdout) == Exit.OK
    assert (
        watch.followed([view("ImportInProgress", "SourceNotFound", generation=1)], as_json=False, out=sys.stdout) != 0
    )


def test_a_failure_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [view("Pending"), view("ImportInProgress", "SourceNotFound")]
    watch.followed(changes, as_json=False, out=sys.stdout)
    assert capsys.readouterr().out.splitlines() == ["disk: Pending", "ns/disk: [SourceNotFound] it broke."]


def test_that_nobody_looks_at_a_volume_is_told_after_a_while() -> None:
    frames = [watch._frame(view(""), seconds).text for seconds in (3, 31)]
    assert frames[0] == "disk: new"
    assert frames[1].startswith("disk: new: no controller has looked at it for 31 s. Try: ")


def test_an_end_without_a_code_counts_as_one_that_may_pass() -> None:
    assert watch.followed([view("Failed")], as_json=False, out=sys.stderr) == Exit.TRANSIENT


def test_each_change_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    watch.followed([view("Pending"), view("Pending"), view("Succeeded")], as_json=True, out=sys.stderr)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["phase"]) for line in lines] == [("ns/disk", "Pending"), ("ns/disk", "Succeeded")]


class _Interrupted(LocalPlace):
    def follow(self, name: Name) -> Iterator[View]:
        yield view("ImportInProgress")
        raise KeyboardInterrupt


def test_a_failure_is_the_last_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    code = "SourceNotFound"
    assert watch.followed([view("ImportInProgress", code)], as_json=True, out=sys.stderr) == CATALOGUE[code].exit
    said, text = capsys.readouterr()
    line = json.loads(said.splitlines()[-1])
    assert (line["name"], line["error"]["code"], line["error"]["permanent"]) == ("ns/disk", code, True)
    assert text == f"ns/disk: {line['error']['message']}\n"


def test_ctrl_c_detaches_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    args = argparse.Namespace(json=False, data=None, kubeconfig="/my files/config", context="test")
    assert watch.attached(_Interrupted(Path("/data"), "ns"), Name("ns", "disk"), args, sys.stdout) == Exit.CANCELLED
    options = "--kubeconfig '/my files/config' --context test"
    assert capsys.readouterr().err.splitlines()[-3:] == [
        f"cdi: detached; {HERE.goes_on}.",
        f"  cdi watch dv/ns/disk {options}    attaches again",
        f"  cdi delete dv/ns/disk {options}   stops it and removes its disk",
    ]


def test_many_volumes_have_a_line_per_change_and_say_when_they_go(capsys: pytest.CaptureFixture[str]) -> None:
    changes = overview.Changes(watch._frame, as_json=False, namespaces=True)
    changes.show([view("Pending", name="a"), view("Succeeded", name="b")])
    changes.show([view("Pending", name="a"), view("Succeeded", name="b")])
    changes.show([view("Succeeded", name="a")])
    assert capsys.readouterr().out.splitlines() == [
        "ns/a: Pending",
        "ns/b: Succeeded",
        "ns/a: Succeeded",
        "ns/b: deleted",
    ]


def test_the_table_has_what_goes_on_first_and_says_what_it_leaves_out() -> None:
    views = [view("Succeeded", name=f"a{number}") for number in range(9)] + [view("Pending", name="z")]
    lines = overview.rows(views, 5, namespaces=False)
    assert [line.split()[0] for line in lines] == ["NAME", "z", "a0", "a1", "and"]
    assert lines[-1] == "and 7 more"
    assert len(overview.rows(views, 50, namespaces=False)) == 11
    assert overview.rows([], 50, namespaces=False) == ["No DataVolumes."]
