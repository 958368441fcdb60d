"""Programs that run until the bed goes down: in its network namespace and control group, output in a log."""

from __future__ import annotations

import os
import signal
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
    # A shell with umask 077 would have containerd make images that their own users cannot enter.
    joining = ("sh", "-c", 'umask 022; echo $$ >"$0" && exec "$@"', cgroup.members())
    inside = ("env", f"--chdir={place.STATE}", *netns.inside(*program.command))
    command = [str(word) for word in (*joining, *inside)]
    # No Popen: most programs outlive whoever starts them, and Python complains of one that nobody has waited for.
    pid = os.posix_spawnp(
        command[0],
        command,
        {**os.environ, **program.environment},
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
            (os.POSIX_SPAWN_OPEN, 1, str(_log(program.name)), os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644),
            (os.POSIX_SPAWN_DUP2, 1, 2),
        ],
        setsid=True,
        setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],  # which Python ignores
    )
    _until(lambda: pid in cgroup.processes() or not _exists(pid), 10, lambda: f"{program.name} does not start")
    (_RUN / program.name).write_text(str(pid))


def _exists(pid: int) -> bool:
    """A child that has ended exists until it was waited for."""
    return os.waitpid(pid, os.WNOHANG) == (0, 0)


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
