"""Following volumes: what is shown, how it ends, and with which exit code."""

from __future__ import annotations

import argparse
import json
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


def view(phase: str, code: str = "", permanent: bool = True, name: str = "disk") -> View:
    status: dict[str, Any] = {"phase": phase}
    if code:
        failure = {"code": code, "permanent": permanent, "since": "2026-01-01T00:00:00Z", "attempts": 1}
        running = {"type": "Running", "status": "False", "reason": "Error", "message": f"[{code}] it broke."}
        status |= {"failure": failure, "conditions": [running]}
    document = {"metadata": {"name": name, "namespace": "ns"}, "status": status}
    return View(msgspec.convert(document, DataVolume), document)


def test_a_volume_is_followed_until_it_is_whole(capsys: pytest.CaptureFixture[str]) -> None:
    changes = iter([view("Pending"), view("ImportScheduled"), view("Succeeded"), view("Pending")])
    assert watch.followed(changes, as_json=False) == Exit.OK
    assert capsys.readouterr().err.splitlines() == ["disk: Pending", "disk: ImportScheduled", "disk: Succeeded"]
    assert next(changes).phase == "Pending"  # what comes afterwards is not asked for


def test_a_failure_that_may_pass_is_waited_out(capsys: pytest.CaptureFixture[str]) -> None:
    changes = [view("ImportInProgress", "SourceUnavailable", permanent=False), view("Succeeded")]
    assert watch.followed(changes, as_json=False) == Exit.OK
    assert "[SourceUnavailable]" in capsys.readouterr().err


@pytest.mark.parametrize("code", ["SourceNotFound", "ChecksumMismatch", "ClusterRefused", "TargetTooSmall"])
def test_the_exit_code_is_that_of_the_fault(code: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert watch.followed([view("ImportInProgress", code)], as_json=False) == CATALOGUE[code].exit
    assert capsys.readouterr().out == f"ns/disk: [{code}] it broke.\n"


def test_an_end_without_a_code_counts_as_one_that_may_pass() -> None:
    assert watch.followed([view("Failed")], as_json=False) == Exit.TRANSIENT


def test_each_change_is_a_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    watch.followed([view("Pending"), view("Pending"), view("Succeeded")], as_json=True)
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["name"], line["phase"]) for line in lines] == [("ns/disk", "Pending"), ("ns/disk", "Succeeded")]


class _Interrupted(LocalPlace):
    def follow(self, name: Name) -> Iterator[View]:
        yield view("ImportInProgress")
        raise KeyboardInterrupt


def test_ctrl_c_detaches_and_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    args = argparse.Namespace(json=False, data=None, kubeconfig="/my files/config", context="test")
    assert watch.attached(_Interrupted(Path("/data"), "ns"), Name("ns", "disk"), args) == Exit.CANCELLED
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
    assert capsys.readouterr().err.splitlines() == [
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
