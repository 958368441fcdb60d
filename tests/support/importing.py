"""Running the real ``cdi import`` as a process, the way a user does."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/root", "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
ENVIRONMENT["PYTHONFAULTHANDLER"] = "1"  # see last_words


@dataclass(frozen=True)
class Outcome:
    status: int
    stdout: str
    stderr: str

    @property
    def result(self) -> dict[str, Any]:
        """The last JSON line of ``--json``."""
        found: dict[str, Any] = json.loads(self.stdout.splitlines()[-1])
        return found


def start(*arguments: object, env: dict[str, str] | None = None) -> subprocess.Popen[str]:
    # Whoever runs the tests in the background of a shell has SIGINT ignored, and a child would inherit that.
    command = ["env", "--default-signal=INT", sys.executable, "-m", "cdi.cli.main", *map(str, arguments)]
    return subprocess.Popen(
        command, env={**ENVIRONMENT, **(env or {})}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def cdi(*arguments: object, env: dict[str, str] | None = None, timeout_s: float = 120) -> Outcome:
    process = start(*arguments, env=env)
    try:
        stdout, stderr = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    return Outcome(process.returncode, stdout, stderr)


def last_words(process: subprocess.Popen[str]) -> str:
    """What a process said that has ended too early, or hangs: then where each of its threads was."""
    if process.poll() is None:
        process.send_signal(signal.SIGABRT)
    said, complaint = process.communicate(timeout=30)
    return f"exit {process.returncode}\n{said}\n{complaint}"


def kill(process: subprocess.Popen[str]) -> None:
    process.send_signal(signal.SIGKILL)
    process.communicate()


def same_disk(one: Path, other: Path) -> bool:
    """``qemu-img compare`` and equal lengths: same size, same bytes."""
    command = ["qemu-img", "compare", "-f", "raw", "-F", "raw", str(one), str(other)]
    return one.stat().st_size == other.stat().st_size and subprocess.run(command, capture_output=True).returncode == 0
