"""What provisioner, scheduler and kubelet say of something that waits. They say it in events, which nobody watches:
they are asked for seldom, at a pace that a crowd of waiting claims cannot raise, and remembered meanwhile."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Hashable
from dataclasses import dataclass

from cdi.controllers.population.events import newest_event
from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.objects import Event, Metadata
from cdi.kube.store import Key

log = logging.getLogger(__name__)

# Requests for all targets together: each makes the API server read all events of a namespace.
_PER_S, _BURST = 5.0, 30.0
_SLACK = 0.9  # of a pause: whoever looks when it is over is not a moment too early


@dataclass(frozen=True, slots=True)
class _Known:
    state: Hashable
    event: Event | None
    due: float


class Complaints:
    """Of one object for each target claim. ``warnings``: no other events."""

    def __init__(self, client: Client, *, warnings: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        self._client = client
        self._warnings = warnings
        self._clock = clock
        self._known: dict[Key, _Known] = {}
        self._left, self._at = _BURST, clock()

    async def newest(self, target: Key, about: Metadata, phase: str, pause_s: float) -> Event | None:
        """The newest event about an object. It is asked for when the object, or its ``phase``, is another one, else
        after ``pause_s`` at the earliest. A comfort, without which everything goes on."""
        known, now = self._known.get(target), self._clock()
        state = (about.uid, phase)
        is_known = known is not None and known.state == state and now < known.due
        if not is_known and self._is_allowed(now):
            self._known[target] = known = _Known(state, await self._asked(about, known), now + _SLACK * pause_s)
        return known.event if known is not None and known.state == state else None

    def forget(self, target: Key) -> None:
        """Nothing waits any more."""
        self._known.pop(target, None)

    async def _asked(self, about: Metadata, known: _Known | None) -> Event | None:
        try:
            return await newest_event(self._client, about, warnings=self._warnings)
        except ApiError as error:
            log.info("no events of %s/%s: %s", about.namespace, about.name, error)
            return known.event if known is not None else None

    def _is_allowed(self, now: float) -> bool:
        self._left = min(_BURST, self._left + (now - self._at) * _PER_S)
        self._at = now
        if self._left < 1:
            return False
        self._left -= 1
        return True
