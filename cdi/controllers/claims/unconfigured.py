"""Keys that wait for a CDI object and its configuration: woken when these are there, instead of looking for them."""

from __future__ import annotations

from collections.abc import Callable

from cdi.controllers.claims.stores import Stores
from cdi.kube.store import Key


class Unconfigured:
    def __init__(self, stores: Stores, enqueue: Callable[[Key], None]) -> None:
        self._stores = stores
        self._enqueue = enqueue
        self._waiting: dict[Key, None] = {}
        stores.configs.subscribe(lambda _old, _new: self._look())
        stores.systems.subscribe(lambda _old, _new: self._look())

    def holds(self, key: Key) -> bool:
        """Whether nothing may be decided yet; ``key`` is enqueued when it may."""
        if self._stores.are_configured:
            return False
        self._waiting[key] = None
        return True

    def _look(self) -> None:
        if self._waiting and self._stores.are_configured:
            waiting, self._waiting = self._waiting, {}
            for key in waiting:
                self._enqueue(key)
