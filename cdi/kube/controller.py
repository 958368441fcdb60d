"""Runs a reconcile function for every object that something happened to."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from cdi.kube.errors import ApiError, Conflict
from cdi.kube.queue import LONGEST_REFUSAL_S, LONGEST_RETRY_S, Closed, Queue
from cdi.kube.store import Key, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

Reconcile = Callable[[Key], Awaitable[float | None]]

__all__ = ["Controller", "Key", "Reconcile"]


class Controller:
    """``reconcile(key)`` looks at everything about ``key`` and acts; it never learns what happened.

    It may answer seconds: look again then, if nothing happens before. What it raises is retried after a back-off
    that grows per key: an ApiError with one log line, everything else, being a bug, with its traceback.
    """

    def __init__(self, name: str, reconcile: Reconcile) -> None:
        self.name = name
        self._reconcile = reconcile
        self._queue = Queue[Key](lambda key: key.namespace)

    def watches(
        self,
        store: Store[T],
        keys: Callable[[T], Iterable[Key]],
        relevant: Callable[[T], object] = lambda item: item,
    ) -> None:
        """A change of an object of ``store`` makes the controller look at ``keys(object)``, of before and after.

        Unless what is ``relevant`` of the object is as before.
        """

        def changed(old: T | None, new: T | None) -> None:
            if old is not None and new is not None and relevant(old) == relevant(new):
                return
            for item in (old, new):
                if item is not None:
                    for key in keys(item):
                        self._queue.add(key)

        store.subscribe(changed)

    def enqueue(self, key: Key) -> None:
        """Look at it now, for a reason that is in no store."""
        self._queue.add(key)

    async def run(self, workers: int = 16) -> None:
        """Until ``stop``, or cancelled. Start it when the stores are complete (``Cache.synced``).

        Workers mostly wait for the API server, so they are many.
        """
        async with asyncio.TaskGroup() as group:
            for number in range(workers):
                group.create_task(self._work(), name=f"{self.name}-{number}")

    def stop(self) -> None:
        """``run`` returns when what is being worked on is finished."""
        self._queue.close()

    async def _work(self) -> None:
        while True:
            try:
                key = await self._queue.get()
            except Closed:
                return
            try:
                await self._attend(key)
            finally:
                self._queue.done(key)
            # One that had nothing to wait for leaves the turn to others: ten thousand of them would stop the lease.
            await asyncio.sleep(0)

    async def _attend(self, key: Key) -> None:
        log.debug("%s looks at %s", self.name, key)
        try:
            again = await self._reconcile(key)
        except ApiError as error:
            longest_s = LONGEST_REFUSAL_S if error.refused else LONGEST_RETRY_S
            wait = self._queue.retry(key, error.retry_after_s, longest_s)
            # A conflict is everyday life: somebody else wrote at the same time.
            level = logging.DEBUG if isinstance(error, Conflict) else logging.WARNING
            log.log(level, "%s %s: %s; again in %.1f s", self.name, key, error, wait)
        except Exception:
            wait = self._queue.retry(key)
            log.exception("%s %s: a bug; again in %.1f s", self.name, key, wait)
        else:
            self._queue.forget(key)
            if again is not None:
                self._queue.add_after(key, again)
