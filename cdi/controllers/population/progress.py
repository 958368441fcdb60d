"""How far running workers are: each prints a JSON line when that changes, and the API server hands its log on.

So neither the pod network nor credentials of the worker are involved, and no NetworkPolicy is in the way. Whatever
a pod prints, it is read at a bounded rate, and news of it is passed on every 2 s at most.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import Protocol

from cdi.base.wire.progress import ProgressLine, decode_progress
from cdi.controllers.population.plan import Follow
from cdi.kube.backoff import Backoff
from cdi.kube.client import LogOptions
from cdi.kube.errors import ApiError
from cdi.kube.pace import Pace
from cdi.kube.store import Key

log = logging.getLogger(__name__)

_FOLLOWED = 500  # logs at a time; of more workers than that, the later ones' progress shows when others have ended
_PASSED_ON_S = 2.0  # between two changes of one worker that are passed on
_AGAIN_S = (4.0, 60.0)  # after a log that ended, or could not be read: at first, and when that goes on
_HEALTHY_S = 30.0  # a log that lasted so long was no failure
_LINE_COSTS = 256  # bytes, beside its own
_RATE, _BURST = 16 << 10, 64 << 10  # bytes in a second, and at once
_REMEMBERED = 10_000  # workers that we made, and workers whose log has ended; what is gone is forgotten


class Logs(Protocol):
    """Of the client: the one thing that is needed here."""

    def log_lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncGenerator[bytes, None]: ...


@dataclass(slots=True)
class _Followed:
    """``latest`` was passed on, ``newest`` waits for that."""

    worker: Follow
    task: asyncio.Task[None] | None = None
    latest: ProgressLine | None = None
    newest: ProgressLine | None = None
    passed_on: float = float("-inf")
    timer: asyncio.TimerHandle | None = None


class Followers:
    """``changed`` is called with the target's key whenever something is known anew, and when a log has ended: whoever
    decides then asks for the worker again if it still runs, for a log also ends when the API server is restarted.
    """

    def __init__(self, client: Logs, changed: Callable[[Key], None]) -> None:
        self._client = client
        self._changed = changed
        self._followed: dict[str, _Followed] = {}  # by the pod's uid
        self._backoffs: dict[str, Backoff] = {}
        self._made: dict[str, None] = {}
        self._places = asyncio.Semaphore(_FOLLOWED)

    def latest(self, uid: str) -> ProgressLine | None:
        """Of the pod with this uid, as it was passed on."""
        found = self._followed.get(uid)
        return found.latest if found is not None else None

    def made(self, uid: str) -> None:
        """We made the pod with this uid."""
        self._made[uid] = None
        if len(self._made) > _REMEMBERED:
            del self._made[next(iter(self._made))]

    def has_made(self, uid: str) -> bool:
        return uid in self._made

    def follow(self, worker: Follow) -> None:
        """From now until the container ends. Does nothing for a worker that is followed already."""
        if worker.uid not in self._followed:
            followed = _Followed(worker)
            self._followed[worker.uid] = followed
            followed.task = asyncio.create_task(self._read(followed), name=f"progress of {worker.pod}")
            followed.task.add_done_callback(lambda ended: self._ended(followed, ended))

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._backoffs.pop(uid, None)
        self._made.pop(uid, None)
        found = self._followed.get(uid)
        if found is not None:
            found.latest = found.newest = None
            if found.task is not None:
                found.task.cancel()

    def _ended(self, followed: _Followed, task: asyncio.Task[None]) -> None:
        """What a worker said that has ended is no news any more."""
        worker = followed.worker
        if followed.timer is not None:
            followed.timer.cancel()
        del self._followed[worker.uid]
        if not task.cancelled():
            self._changed(worker.target)

    async def _read(self, followed: _Followed) -> None:
        worker, loop = followed.worker, asyncio.get_running_loop()
        options = LogOptions(container=worker.container, tail_lines=1)
        async with self._places:
            began = loop.time()
            try:
                pace = Pace(_RATE, _BURST)
                async with aclosing(self._client.log_lines(worker.namespace, worker.pod, options)) as lines:
                    async for line in lines:
                        self._take(followed, line)
                        await pace.spend(len(line) + _LINE_COSTS)
            except ApiError as error:
                # Progress is a comfort: an import that nobody can watch goes on all the same.
                log.info("no progress of %s/%s: %s", worker.namespace, worker.pod, error)
            lasted_s = loop.time() - began
        # The store may call it running a moment longer, and what it said last has to be passed on.
        await asyncio.sleep(self._pause_s(worker.uid, lasted_s))

    def _pause_s(self, uid: str, lasted_s: float) -> float:
        backoff = self._backoffs.pop(uid, None) or Backoff(*_AGAIN_S)
        if lasted_s >= _HEALTHY_S:
            backoff.reset()
        self._backoffs[uid] = backoff
        if len(self._backoffs) > _REMEMBERED:
            del self._backoffs[next(iter(self._backoffs))]
        return backoff.next_s() + _PASSED_ON_S

    def _take(self, followed: _Followed, line: bytes) -> None:
        found = decode_progress(line) if line.startswith(b"{") else None
        if found is None:
            return  # the log has lines for people as well
        followed.newest = found
        if followed.timer is None:
            loop = asyncio.get_running_loop()
            wait_s = followed.passed_on + _PASSED_ON_S - loop.time()
            if wait_s <= 0:
                self._pass_on(followed)
            else:
                followed.timer = loop.call_later(wait_s, self._pass_on, followed)

    def _pass_on(self, followed: _Followed) -> None:
        followed.timer = None
        if followed.newest == followed.latest:
            return
        followed.latest = followed.newest
        followed.passed_on = asyncio.get_running_loop().time()
        self._changed(followed.worker.target)
