"""Up and down of the whole. Both may be repeated, and both start from whatever an aborted run left."""

from __future__ import annotations

import fcntl
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from . import (
    certificates,
    cgroup,
    containerd,
    controlplane,
    kubectl,
    kubelet,
    mounts,
    netns,
    network,
    place,
    processes,
)

_READY = place.STATE / "ready"
_PROGRAMS = ("etcd", "apiserver", "controller-manager", "scheduler", "containerd", "kubelet", "kube-proxy", "coredns")


def is_up() -> bool:
    return _READY.exists() and all(processes.pid_of(name) for name in _PROGRAMS) and kubectl.server_is_ready()


def up() -> None:
    """Blocks until the cluster can be used. Does nothing when it can."""
    with _alone():
        if is_up():
            return
        _clear()
        place.STATE.mkdir(mode=0o755)
        _step("certificates", certificates.create)
        _step("network namespace", netns.create)
        cgroup.create()
        _step("control plane", controlplane.start)
        network.configure()
        _step("containerd", containerd.start)
        _step("kubelet", kubelet.start)
        _step("network", network.start)
        _step("node", kubelet.wait_until_ready)
        _READY.touch()


def down() -> None:
    """Blocks until nothing of the bed is left on the machine. Images and programs stay in the cache."""
    with _alone():
        _clear()


def _clear() -> None:
    cgroup.kill_all()
    mounts.release_all()
    netns.delete()
    cgroup.delete()
    if place.STATE.exists():
        shutil.rmtree(place.STATE)


@contextmanager
def _alone() -> Iterator[None]:
    """Two that start at once must not build one bed."""
    with Path(f"/run/lock/{place.NAME}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _step(name: str, work: object) -> None:
    begin = time.monotonic()
    assert callable(work)
    work()
    print(f"bed: {name} {time.monotonic() - begin:.1f} s", file=sys.stderr, flush=True)
