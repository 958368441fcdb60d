"""Processes of the bed's pods, which run on this machine."""

from __future__ import annotations

from pathlib import Path

from support.kinds import Object


def process_of(pod: Object, program: str) -> int | None:
    """The process id of ``program`` in ``pod``; None when none runs (yet, or any more)."""
    uid = pod["metadata"]["uid"]
    marks = (uid, uid.replace("-", "_"))  # as cgroupfs and systemd write it
    for place in Path("/proc").iterdir():
        try:
            group, command = (place / "cgroup").read_text(), (place / "cmdline").read_text()
        except (OSError, UnicodeDecodeError):
            continue
        if any(mark in group for mark in marks) and program in command:
            return int(place.name)
    return None
