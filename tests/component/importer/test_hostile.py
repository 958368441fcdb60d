"""Every hostile image, fetched by the real command: refused with its code, cheaply, and nothing usable is left."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.hostile import hostile_images
from support.importing import ENVIRONMENT

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


# A process between pytest and the command: the kernel counts what a process was before exec as its own memory.
_RUNNER = """
import resource, subprocess, sys
status = subprocess.run(sys.argv[1:]).returncode
used = resource.getrusage(resource.RUSAGE_CHILDREN)
print(status, used.ru_utime + used.ru_stime, used.ru_maxrss)
"""


def measured(*arguments: object) -> tuple[int, str, float, int]:
    """(exit code, standard error, seconds of CPU, bytes of memory at its peak) of ``cdi``."""
    command = [sys.executable, "-I", "-S", "-c", _RUNNER, sys.executable, "-m", "cdi.cli.main", *map(str, arguments)]
    run = subprocess.run(command, env=ENVIRONMENT, capture_output=True, text=True, timeout=60)
    status, cpu_s, kib = run.stdout.split()
    return int(status), run.stderr, float(cpu_s), int(kib) * 1024


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "stream"])
@pytest.mark.parametrize("name", IMAGES)
def test_a_hostile_image_is_refused(name: str, ranges: bool, server: FaultServer, tmp_path: Path) -> None:
    code = IMAGES[name].code if ranges else IN_A_STREAM.get(name, IMAGES[name].code)
    url = server.add("/image", Route(body=IMAGES[name].build(), ranges=ranges))
    status, stderr, cpu_s, peak = measured("import", url, tmp_path / "disk.img")
    assert f"[{code}]" in stderr
    assert (status, "Traceback" in stderr) == (int(CATALOGUE[code].exit), False), stderr
    assert " Try: " in stderr
    assert cpu_s < 1
    assert peak < 100 * MiB
    assert list(tmp_path.iterdir()) == []


def test_they_are_many() -> None:
    assert len(IMAGES) >= 60
    assert len({hostile.code for hostile in IMAGES.values()}) >= 11
