"""Which CDI object counts. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.api.cdi import CDI


def active_of(systems: Iterable[CDI]) -> CDI | None:
    """The oldest that is not in error: a second one changes nothing."""
    known = [item for item in systems if not item.metadata.deletion_timestamp]
    sound = [item for item in known if item.status.phase != "Error"] or known
    return min(sound, key=lambda item: (item.metadata.creation_timestamp or "", item.metadata.name), default=None)
