"""The control group: every process of the bed is in it, so that `down` finds them all and nobody else's.

    <hierarchy>/cdi-bed/system     programs of the bed, and what they start (containerd's shims)
    <hierarchy>/cdi-bed/kubepods   made by the kubelet: the pods

A list of process ids would miss what an aborted run did not write down, and numbers are used again; a group does not
forget. With version 1 the group is in every hierarchy, because the kubelet asks for it there, and `pids` is counted.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from . import place

_MOUNT = Path("/sys/fs/cgroup")
_LIMIT_S = 20


def _hierarchies(*kinds: str) -> list[Path]:
    if _is_unified():
        return [_MOUNT]
    mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
    return [Path(words[1]) for words in mounts if words[2] in kinds]


def _is_unified() -> bool:
    return (_MOUNT / "cgroup.controllers").exists()


def _counted() -> Path:
    return (_MOUNT if _is_unified() else _MOUNT / "pids") / place.NAME


def create() -> None:
    for hierarchy in _hierarchies("cgroup"):
        group = hierarchy / place.NAME
        group.mkdir(exist_ok=True)
        for setting in ("cpuset.cpus", "cpuset.mems"):  # version 1: empty at first, and then nothing may enter
            if (group / setting).exists() and not _is_unified():
                (group / setting).write_text((hierarchy / setting).read_text())
    (_counted() / "system").mkdir(exist_ok=True)


def members() -> Path:
    """The file that a process of the bed writes its number into, before it becomes a program: there is no moment in
    which one runs and is not in the group."""
    return _counted() / "system" / "cgroup.procs"


def processes() -> set[int]:
    """Process ids of everything alive in the group, pods included."""
    found: set[int] = set()
    for directory, _, _ in os.walk(_counted()):
        try:
            listed = Path(directory, "cgroup.procs").read_text()
        except OSError:  # the group went away while we walked
            continue
        found.update(int(word) for word in listed.split())
    return {pid for pid in found if _runs(pid)}


def _runs(pid: int) -> bool:
    """False for one that has ended and is only waiting for its parent to notice: nothing kills that."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


def kill_all() -> None:
    deadline = time.monotonic() + _LIMIT_S
    while left := processes():
        for pid in left:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes {sorted(left)} do not end")
        time.sleep(0.05)


def delete() -> None:
    # runc also makes groups in a version 2 tree that stands beside those of version 1.
    for hierarchy in _hierarchies("cgroup", "cgroup2"):
        for directory in _deepest_first(hierarchy / place.NAME):
            _remove(directory)


def _deepest_first(top: Path) -> Iterator[Path]:
    for directory, _, _ in os.walk(top, topdown=False):
        yield Path(directory)


def _remove(group: Path) -> None:
    """The kernel says busy for a moment after the last process has gone."""
    deadline = time.monotonic() + _LIMIT_S
    while True:
        try:
            return group.rmdir()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
