"""The size detection pod's contract: decimal bytes in the termination message, exit codes that name the mistake."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from importer.size_detection import Outcome


def detect(*arguments: str, report: Path) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"CDI_TERMINATION_LOG": str(report)}
    command = [sys.executable, "-m", "importer.size_detection", *arguments]
    return subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)


def test_the_size_of_the_disk_is_reported_in_bytes(tmp_path: Path) -> None:
    disk, report = tmp_path / "disk.img", tmp_path / "report"
    disk.touch()
    os.truncate(disk, 5 << 30)
    done = detect("-image-path", str(disk), report=report)
    assert done.returncode == Outcome.OK
    assert report.read_text() == "5368709120"


def test_a_guest_that_wrote_a_qcow2_header_does_not_choose_the_size(tmp_path: Path) -> None:
    disk, report = tmp_path / "disk.img", tmp_path / "report"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", disk, "1P"], check=True)
    done = detect("-image-path", str(disk), report=report)
    assert done.returncode == Outcome.OK
    assert report.read_text() == str(disk.stat().st_size)


def test_a_link_in_the_volume_tells_nothing_of_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "disk.img").symlink_to("/etc/passwd")
    report = tmp_path / "report"
    assert detect("-image-path", str(tmp_path / "disk.img"), report=report).returncode == Outcome.INVALID_FILE
    assert not report.exists()


@pytest.mark.parametrize(
    ("arguments", "outcome"),
    [
        pytest.param([], Outcome.BAD_ARGUMENTS, id="no arguments"),
        pytest.param(["-image-path", "/"], Outcome.INVALID_FILE, id="a directory"),
        pytest.param(["-image-path", "/dev/null"], Outcome.INVALID_FILE, id="a device"),
        pytest.param(["-image-path", "/no/such/disk.img"], Outcome.INVALID_PATH, id="nothing there"),
    ],
)
def test_every_mistake_has_its_exit_code(arguments: list[str], outcome: Outcome, tmp_path: Path) -> None:
    report = tmp_path / "report"
    assert detect(*arguments, report=report).returncode == outcome
    assert not report.exists()


def test_an_unwritable_report_has_its_exit_code(tmp_path: Path) -> None:
    disk = tmp_path / "disk.img"
    disk.write_bytes(b"x")
    assert detect("-image-path", str(disk), report=tmp_path).returncode == Outcome.BAD_TERMINATION_FILE
