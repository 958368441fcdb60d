"""Every hostile image, fetched by the real command: refused with its code, cheaply, and nothing usable is left."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.hostile import hostile_images
from support.importing import start

from cdi.base.faults import CATALOGUE

MiB = 1024 * 1024
IMAGES = hostile_images()
# What a stream can only see later, or otherwise: where it ends is not known before.
IN_A_STREAM = {
    "qcow2 with L1 outside": "ImageTruncated",
    "qcow2 with L2 outside": "ImageTruncated",
    "qcow2 with one L2 table everywhere": "ImageInvalid",
}


@pytest.fixture(scope="module")
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def ended(process: subprocess.Popen[str]) -> tuple[int, str, os.struct_rusage]:
    """(exit code, standard error, what it and its children used)."""
    assert process.stdout is not None
    assert process.stderr is not None
    stdout, stderr = process.stdout.read(), process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    process.stderr.close()
    assert stdout == ""
    return process.returncode, stderr, usage


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
@pytest.mark.parametrize("name", IMAGES)
def test_a_hostile_image_is_refused(name: str, ranges: bool, server: FaultServer, tmp_path: Path) -> None:
    code = IMAGES[name].code if ranges else IN_A_STREAM.get(name, IMAGES[name].code)
    url = server.add("/image", Route(body=IMAGES[name].build(), ranges=ranges))
    status, stderr, usage = ended(start("import", url, tmp_path / "disk.img"))
    assert f"[{code}]" in stderr
    assert (status, "Traceback" in stderr) == (int(CATALOGUE[code].exit), False), stderr
    assert " Try: " in stderr
    assert usage.ru_utime + usage.ru_stime < 1
    assert usage.ru_maxrss * 1024 < 100 * MiB
    assert list(tmp_path.iterdir()) == []


def test_they_are_many() -> None:
    assert len(IMAGES) >= 60
    assert len({hostile.code for hostile in IMAGES.values()}) >= 11
