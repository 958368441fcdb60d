"""Programs that run until the bed goes down: in its network namespace and control group, output in a log."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from . import cgroup, netns, place

_RUN = place.STATE / "run"
_LOG_LINES = 30


class NotReady(Exception):
    """A program ended or did not do its work in time; the text has the end of its log."""


@dataclass(frozen=True)
class Program:
    name: str
    command: tuple[str | Path, ...]
    environment: Mapping[str, str] = field(default_factory=dict)


def start(program: Program) -> None:
    _RUN.mkdir(exist_ok=True)
    place.LOGS.mkdir(exist_ok=True)
    with _log(program.name).open("ab") as log:
        child = subprocess.Popen(
            netns.inside(*program.command), stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=place.STATE,
            env={**os.environ, **program.environment}, start_new_session=True,
        )  # fmt: skip
    cgroup.adopt(child.pid)
    (_RUN / program.name).write_text(str(child.pid))


def stop(name: str, how: signal.Signals = signal.SIGKILL) -> None:
    """Ends one program. Does nothing when it does not run; waits until it has ended and holds no port any more."""
    while (pid := pid_of(name)) is not None:
        os.kill(pid, how)
        _until(lambda: pid_of(name) is None and _has_let_go(pid), 30, lambda: f"{name} does not end")


def _has_let_go(pid: int) -> bool:
    """The first thread leaves the control group while others may still hold the listening sockets, for half a second
    where 500 MB of memory have to be given back."""
    threads = Path(f"/proc/{pid}/task")
    try:
        return len(list(threads.iterdir())) <= 1 and "\nState:\tZ" in (threads.parent / "status").read_text()
    except OSError:
        return True  # nothing is left of it


def pid_of(name: str) -> int | None:
    """None when it does not run. A recorded number counts only while it is in the control group."""
    try:
        pid = int((_RUN / name).read_text())
    except (FileNotFoundError, ValueError):
        return None
    return pid if pid in cgroup.processes() else None


def wait(name: str, ready: Callable[[], bool], timeout_s: float = 60) -> None:
    """Until ``ready`` says so, looking every 50 ms. Raises ``NotReady`` when the program ends or the time is over."""

    def look() -> bool:
        if pid_of(name) is None:
            raise NotReady(f"{name} ended:\n{log_of(name)}")
        return ready()

    _until(look, timeout_s, lambda: f"{name} is not ready after {timeout_s} s:\n{log_of(name)}")


def log_of(name: str) -> str:
    try:
        return "\n".join(_log(name).read_text(errors="replace").splitlines()[-_LOG_LINES:])
    except FileNotFoundError:
        return "(no log)"


def _log(name: str) -> Path:
    return place.LOGS / f"{name}.log"


def _until(ready: Callable[[], bool], timeout_s: float, complaint: Callable[[], str]) -> None:
    deadline = time.monotonic() + timeout_s
    while not ready():
        if time.monotonic() > deadline:
            raise NotReady(complaint())
        time.sleep(0.05)
