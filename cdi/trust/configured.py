"""How long certificates live, as the CDI object says it at the moment."""

from __future__ import annotations

import logging
from collections.abc import Callable

from cdi.api.cdi import CDI
from cdi.contract.systems import active_of
from cdi.kube.store import Store
from cdi.trust.lifetimes import Lifetimes, lifetimes

log = logging.getLogger(__name__)


class Configured:
    """Follows a store. What cannot be is complained of once."""

    def __init__(self, systems: Store[CDI]) -> None:
        self.lifetimes = Lifetimes()
        self._systems = systems
        self._subscribers: list[Callable[[], None]] = []
        systems.subscribe(self._adopt)

    def subscribe(self, changed: Callable[[], None]) -> None:
        self._subscribers.append(changed)

    def _adopt(self, _: CDI | None, __: CDI | None) -> None:
        found = lifetimes(active_of(self._systems.all()))
        if found == self.lifetimes:
            return
        if found.complaint and found.complaint != self.lifetimes.complaint:
            log.warning("%s", found.complaint)
        self.lifetimes = found
        for changed in self._subscribers:
            changed()
