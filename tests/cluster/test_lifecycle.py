"""A bed of its own, beside the one that the other tests use, goes up and down and leaves nothing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cluster.bed import place

_NAME = f"cdi-life-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"  # several workers do this at once
_ENVIRONMENT = {**os.environ, "CDI_BED": _NAME}


def _command(*words: str) -> list[str]:
    return [sys.executable, "-m", "tests.cluster.bed", *words]


def _bed(*words: str) -> str:
    done = subprocess.run(
        _command(*words), env=_ENVIRONMENT, cwd=place.REPOSITORY, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(autouse=True)
def _gone_in_the_end() -> Iterator[None]:
    if os.geteuid() != 0:
        pytest.skip("network namespaces and mounts need root")
    yield
    _bed("down")


def _abort_once_it_printed(step: str) -> None:
    with subprocess.Popen(
        _command("up"), env=_ENVIRONMENT, cwd=place.REPOSITORY, stderr=subprocess.PIPE, text=True
    ) as starting:
        assert starting.stderr
        assert any(step in line for line in starting.stderr)
        starting.send_signal(signal.SIGKILL)


def _traces() -> list[str]:
    groups = [str(path) for path in Path("/sys/fs/cgroup").glob(f"**/{_NAME}")]
    places = [path for path in (f"/var/lib/{_NAME}", f"/run/netns/{_NAME}") if Path(path).exists()]
    mounts = [line for line in Path("/proc/mounts").read_text().splitlines() if _NAME in line]
    devices = subprocess.run(["losetup", "--list", "--noheadings"], capture_output=True, text=True).stdout.splitlines()
    processes = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout.splitlines()
    attached = [line for line in devices if _NAME in line]
    return groups + places + mounts + attached + [line for line in processes if f"/var/lib/{_NAME}" in line]


@pytest.mark.slow
@pytest.mark.parametrize("step", ["network namespace", "containerd", "storage"])
def test_it_comes_up_after_an_aborted_start_and_leaves_nothing(step: str) -> None:
    _abort_once_it_printed(step)
    assert _traces()

    _bed("up")
    assert "Ready" in _bed("kubectl", "get", "nodes")
    _bed("down")

    assert _traces() == []
