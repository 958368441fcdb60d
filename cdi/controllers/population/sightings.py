"""Since when something is as it is, by this process's own clock: those of nodes and of the API server may be hours away
from it, and an age that is wrong replaces workers too often, or never."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable

from cdi.kube.store import Key


class Sightings:
    """One state of each target claim, or of what works for it."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._first: dict[Key, tuple[Hashable, float]] = {}

    def age_s(self, target: Key, state: Hashable | None) -> float:
        """Seconds since ``state`` was seen first, without another one since. None: there is nothing to see."""
        if state is None:
            self._first.pop(target, None)
            return 0.0
        now = self._clock()
        known, since = self._first.get(target, (None, now))
        if known != state:
            since = now
        self._first[target] = (state, since)
        return now - since
