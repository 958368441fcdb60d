"""Our own writes, so that nobody decides on what was before them.

The stores learn of a write through the watch, a moment later, and of two kinds of objects in any order: a worker that
was removed after its result went onto the claim would look like one that never ran.
"""

from __future__ import annotations

from typing import Protocol

_DIGITS = 20  # 64 bits have so many
_LIMIT = 10_000  # what is never seen again was deleted meanwhile


class Metadata(Protocol):
    """Of any object."""

    @property
    def uid(self) -> str: ...

    @property
    def resource_version(self) -> str: ...


def _number(version: str) -> int:
    """0 for what is no number: it cannot be compared, and is never waited for."""
    return int(version) if len(version) <= _DIGITS and version.isascii() and version.isdigit() else 0


class Written:
    def __init__(self) -> None:
        self._versions: dict[str, int] = {}

    def note(self, answer: Metadata) -> None:
        """``answer``: what the API server made of the write."""
        self._versions.pop(answer.uid, None)
        self._versions[answer.uid] = _number(answer.resource_version)
        if len(self._versions) > _LIMIT:
            del self._versions[next(iter(self._versions))]

    def is_seen(self, stored: Metadata) -> bool:
        """Whether a store has the object as we left it, or later. Versions of a kind are numbers that grow
        (KEP-5504: comparable resource versions)."""
        version = self._versions.get(stored.uid)
        if version is None:
            return True
        if _number(stored.resource_version) < version:
            return False
        del self._versions[stored.uid]
        return True
