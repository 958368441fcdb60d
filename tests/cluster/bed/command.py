"""Running other programs to their end."""

from __future__ import annotations

import subprocess
from pathlib import Path


class CommandFailed(Exception):
    """A program of the machine refused; the text is what it said."""


def run(*command: str | Path, input_text: str | None = None, timeout_s: float = 120) -> str:
    """What the program prints. Raises ``CommandFailed`` with what it complained of."""
    done = subprocess.run([str(word) for word in command], input=input_text, capture_output=True, text=True,
                          timeout=timeout_s, check=False)  # fmt: skip
    if done.returncode != 0:
        raise CommandFailed(f"{' '.join(map(str, command))}: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    return done.stdout.strip()


def succeeds(*command: str | Path, timeout_s: float = 120) -> bool:
    return subprocess.run([str(word) for word in command], capture_output=True, timeout=timeout_s).returncode == 0
