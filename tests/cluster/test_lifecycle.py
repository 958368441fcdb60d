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

_BED = f"life-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"  # several workers do this at once
_NAME = f"cdi-bed-{_BED}"
_ENVIRONMENT = {**os.environ, "CDI_BED": _BED}


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
    results = [str(path) for path in Path("/var/lib/cni").glob(f"results/{_NAME}.*")]
    links = [str(path) for path in Path("/var/log/containers").glob("*") if _NAME in str(path.readlink())]
    attached = [line for line in devices if _NAME in line]
    running = [line for line in processes if f"/var/lib/{_NAME}" in line]
    return groups + places + mounts + results + links + attached + running


@pytest.mark.slow
@pytest.mark.parametrize("step", ["network namespace", "containerd", "storage"])
def test_it_comes_up_after_an_aborted_start_and_leaves_nothing(step: str) -> None:
    _abort_once_it_printed(step)
    assert _traces()

    _bed("up")
    assert "Ready" in _bed("kubectl", "get", "nodes")
    _bed("down")

    assert _traces() == []


def _during(*words: str) -> subprocess.Popen[str]:
    command = _command("during", *words)
    return subprocess.Popen(command, env=_ENVIRONMENT, cwd=place.REPOSITORY, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_the_last_who_uses_it_takes_it_down() -> None:
    wait = ("sh", "-c", "echo begun; exec sleep 600")
    with _during(*wait) as first, _during(*wait) as second:
        for one in (first, second):
            assert one.stdout is not None
            assert one.stdout.readline() == "begun\n"
        first.send_signal(signal.SIGTERM)
        assert first.wait(60) == 128 + signal.SIGTERM
        assert "Ready" in _bed("kubectl", "get", "nodes")
        second.send_signal(signal.SIGTERM)
        assert second.wait(60) == 128 + signal.SIGTERM
    assert _traces() == []


@pytest.mark.slow
def test_one_that_was_brought_up_stays_until_somebody_takes_it_down() -> None:
    _bed("up")
    with _during("true") as process:
        assert process.wait(120) == 0
    assert "Ready" in _bed("kubectl", "get", "nodes")


@pytest.mark.parametrize("name", ["..", "a/b", "A", "-x"])
def test_a_name_that_could_lead_elsewhere_is_none(name: str) -> None:
    environment = {**os.environ, "CDI_BED": name}
    done = subprocess.run(_command("up"), env=environment, cwd=place.REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 1
    assert f"CDI_BED={name}: a bed's name is made of" in done.stderr


def test_no_name_is_the_usual_one() -> None:
    environment = {**os.environ, "CDI_BED": ""}
    done = subprocess.run(_command("kubeconfig"), env=environment, cwd=place.REPOSITORY, capture_output=True, text=True)
    assert done.stdout == "/var/lib/cdi-bed/admin.kubeconfig\n"
