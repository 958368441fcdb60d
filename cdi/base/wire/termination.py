"""A worker's last words, in the file that Kubernetes shows as its termination message: JSON when it ended well, one
line for people when it did not.

``preallocationApplied``, ``scratchSpaceRequired``, ``deadlinePassed``, ``message`` and their values are those of CDI's
workers, which controllers and tests of others read; the rest is ours, and others leave it unread.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

LONGEST = 4096  # bytes that Kubernetes keeps of /dev/termination-log
_NOTES, _MEMBERS = 16, 16


@dataclass(frozen=True, slots=True)
class Termination:
    """``message``: what was done, empty of a worker that says nothing. ``preallocation_applied``: None where it does
    not come into it. ``source``: which version of it was taken, by
    etag, lastModified, verified, as far as known. ``notes``: what people should know although it ended well.
    ``bytes_done``: transferred. ``method``: how a clone was made.
    ``deadline_passed``: nothing came while an upload server's certificate was good; neither success nor failure."""

    message: str = ""
    preallocation_applied: bool | None = None
    scratch_space_required: bool = False
    source: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    bytes_done: int = 0
    method: str = ""
    deadline_passed: bool = False

    def encode(self) -> str:
        """At most as long as Kubernetes keeps: what is ours goes first, since a document that is cut says nothing."""
        theirs: dict[str, object] = {"message": self.message}
        if self.preallocation_applied is not None:
            theirs = {"preallocationApplied": self.preallocation_applied, **theirs}
        if self.scratch_space_required:
            theirs = {"scratchSpaceRequired": True, **theirs}
        if self.deadline_passed:
            theirs = {"deadlinePassed": True, **theirs}
        ours = {"bytesDone": self.bytes_done, "method": self.method, "source": {**self.source}, "notes": [*self.notes]}
        said = {name: value for name, value in ours.items() if value}
        while len(text := json.dumps(theirs | said)) > LONGEST and said:
            said.popitem()
        return text


def decode_termination(text: str | bytes) -> Termination:
    """An empty one for what is no such document: then nothing was said."""
    from cdi.base.wire.members import Members

    try:
        said = Members(text, LONGEST)
        return Termination(
            message=said.text("message", LONGEST),
            preallocation_applied=said.flag("preallocationApplied"),
            scratch_space_required=said.flag("scratchSpaceRequired") or False,
            source=said.named_texts("source", _MEMBERS, LONGEST),
            notes=said.texts("notes", _NOTES, LONGEST),
            bytes_done=said.count("bytesDone") or 0,
            method=said.text("method", LONGEST),
            deadline_passed=said.flag("deadlinePassed") or False,
        )
    except ValueError:
        return Termination()


def write_termination(path: Path, text: str) -> None:
    """One line, as much as Kubernetes keeps. Raises OSError."""
    path.write_bytes(text.replace("\n", " ").encode(errors="replace")[:LONGEST])
