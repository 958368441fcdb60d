"""Measuring one command as a whole process tree, as docs/performance.md defines it."""

from __future__ import annotations

import os
import resource
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_PAGE = os.sysconf("SC_PAGESIZE")
_SAMPLE_S = 0.01  # the shortest command measured takes 0.2 s


@dataclass(frozen=True)
class Measured:
    """``written``: write_bytes of the tree. ``peak``: bytes, sum of the resident memory of its processes; a page shared
    by two counts twice, so it is an upper bound."""

    wall_s: float
    cpu_s: float
    written: int
    peak: int


class CommandFailed(Exception):
    """A command that is measured must succeed: a failed one is fast."""


def measure(command: Sequence[str], env: Mapping[str, str], cwd: Path) -> Measured:
    """Blocking. Raises CommandFailed with what it wrote to stderr."""
    written, cpu, started = _written(), _cpu(), time.monotonic()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    memory = _MemorySampler(process.pid)
    _, errors = process.communicate()
    wall = time.monotonic() - started
    peak = memory.stop()
    if process.returncode != 0:
        raise CommandFailed(f"status {process.returncode} of {' '.join(command)}\n{errors}")
    # The kernel adds the counters of a reaped child, and of those that it reaped, to its parent's.
    return Measured(wall, _cpu() - cpu, _written() - written, peak)


class _MemorySampler:
    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._peak = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._sample)
        self._thread.start()

    def _sample(self) -> None:
        while not self._done.wait(_SAMPLE_S):
            self._peak = max(self._peak, sum(map(_resident, _tree(self._pid))))

    def stop(self) -> int:
        self._done.set()
        self._thread.join()
        return self._peak


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _written() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("write_bytes"))


def _tree(root: int) -> list[int]:
    found, waiting = [], [root]
    while waiting:
        pid = waiting.pop()
        found.append(pid)
        try:
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        except OSError:
            continue  # it has ended meanwhile
    return found


def _resident(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
    except OSError:
        return 0
