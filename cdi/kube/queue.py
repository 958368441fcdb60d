"""Keys of objects to look at again: each at most once in the queue, and never with two workers at a time.

::

          add                   get                    done
    idle -----> ready ---------------> being worked on -----> idle, or ready when it was added meanwhile
      ^ add_after, retry: ready when the time has come

Keys are in lanes, of which each has its turn: whoever has ten thousand keys makes nobody wait who has one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from cdi.kube.backoff import Backoff

K = TypeVar("K", bound=Hashable)

FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 60.0  # where time mends it, as an outage
LONGEST_REFUSAL_S = 300.0  # where people have to


class Closed(Exception):
    """There will be no more keys."""


class Queue(Generic[K]):
    """All on the event loop's thread. Whoever got a key says ``done`` in the end, whatever happened."""

    def __init__(self, lane: Callable[[K], Hashable] = lambda _: None) -> None:
        """``lane``: of a key; without it there is one."""
        self._lane = lane
        self._lanes: dict[Hashable, dict[K, None]] = {}  # ready ones in order of arrival; the lane whose turn is first
        self._ready = 0  # in all lanes
        self._working: set[K] = set()
        self._again: set[K] = set()  # added while being worked on
        self._timers: dict[K, asyncio.TimerHandle] = {}
        self._backoffs: dict[K, Backoff] = {}
        self._idle: deque[asyncio.Future[None]] = deque()  # workers that wait, one future each
        self._closed = False

    def __len__(self) -> int:
        """How many could be worked on now."""
        return self._ready

    def add(self, key: K) -> None:
        """Look at it as soon as possible."""
        if self._closed:
            return
        if key in self._working:
            self._again.add(key)
            return
        lane = self._lanes.setdefault(self._lane(key), {})
        if key not in lane:
            lane[key] = None
            self._ready += 1
            self._wake_one()

    def add_after(self, key: K, seconds: float) -> None:
        """Look at it in so many seconds; the earliest wish holds. ``get`` fulfils them all: the work decides anew."""
        if self._closed:
            return
        loop = asyncio.get_running_loop()
        waiting = self._timers.get(key)
        if waiting:
            if waiting.when() <= loop.time() + seconds:
                return
            waiting.cancel()
        self._timers[key] = loop.call_later(seconds, self._due, key)

    def retry(self, key: K, at_least_s: float = 0.0, at_most_s: float = LONGEST_RETRY_S) -> float:
        """Look at it again after its back-off, which grows until ``forget``, or to ``at_most_s``. Gives the seconds."""
        backoff = self._backoffs.setdefault(key, Backoff(FIRST_RETRY_S, at_most_s))
        backoff.longest_s = at_most_s
        seconds = max(backoff.next_s(), at_least_s)
        self.add_after(key, seconds)
        return seconds

    def forget(self, key: K) -> None:
        """It went well: its back-off starts from the beginning."""
        self._backoffs.pop(key, None)

    async def get(self) -> K:
        """The key that waits longest in the lane whose turn it is. Raises Closed."""
        while not self._ready:
            if self._closed:
                raise Closed
            await self._sleep()
        key = self._next()
        self._working.add(key)
        timer = self._timers.pop(key, None)
        if timer:
            timer.cancel()
        return key

    def _next(self) -> K:
        name = next(iter(self._lanes))
        lane = self._lanes.pop(name)
        key = next(iter(lane))
        del lane[key]
        self._ready -= 1
        if lane:
            self._lanes[name] = lane
        return key

    def done(self, key: K) -> None:
        self._working.discard(key)
        if key in self._again:
            self._again.discard(key)
            self.add(key)

    def close(self) -> None:
        """What is being worked on may be finished; all else is dropped."""
        self._closed = True
        self._lanes.clear()
        self._ready = 0
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        while self._idle:
            self._wake_one()

    def _due(self, key: K) -> None:
        del self._timers[key]
        self.add(key)

    async def _sleep(self) -> None:
        future = asyncio.get_running_loop().create_future()
        self._idle.append(future)
        try:
            await future
        except asyncio.CancelledError:
            # Woken and cancelled at once: another worker must take what this one was woken for.
            if future.done() and not future.cancelled():
                self._wake_one()
            raise

    def _wake_one(self) -> None:
        while self._idle:
            future = self._idle.popleft()
            if not future.done():
                future.set_result(None)
                return
