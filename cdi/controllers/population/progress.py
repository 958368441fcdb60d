"""How far running workers are: each prints a JSON line when that changes, and the API server hands its log on.

So neither the pod network nor credentials of the worker are involved, and no NetworkPolicy is in the way.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Protocol

import msgspec
from msgspec import Struct

from cdi.base.units import human_duration, human_size
from cdi.controllers.population.plan import Follow
from cdi.kube.client import LogOptions
from cdi.kube.errors import ApiError
from cdi.kube.store import Key

log = logging.getLogger(__name__)

_FOLLOWED = 500  # logs at a time; of more workers than that, the later ones' progress shows when others have ended
_LONGEST_S = 30 * 86400  # that is told as the time that is left
_AGAIN_S = 2.0  # after a log that ended, or could not be read


class Progress(Struct, rename="camel", frozen=True):
    """One line of a worker."""

    stage: str = ""
    bytes_done: int = 0
    bytes_total: int | None = None
    percent: float | None = None
    rate_bps: float = 0
    eta_seconds: float | None = None
    durable: int = 0
    record: str = ""

    @property
    def rate(self) -> str:
        return f"{human_size(self.rate_bps)}/s" if self.rate_bps else ""

    @property
    def remaining_s(self) -> int | None:
        """None while nobody can say: what stalls would take for ever."""
        eta = self.eta_seconds
        return round(eta) if eta is not None and 0 <= eta <= _LONGEST_S else None

    @property
    def eta(self) -> str:
        return human_duration(self.remaining_s) if self.remaining_s is not None else ""


class Logs(Protocol):
    """Of the client: the one thing that is needed here."""

    def log_lines(self, namespace: str, pod: str, options: LogOptions) -> AsyncGenerator[bytes, None]: ...


class Followers:
    """``changed`` is called with the target's key whenever something is known anew, and when a log has ended: whoever
    decides then asks for the worker again if it still runs, for a log also ends when the API server is restarted.
    """

    def __init__(self, client: Logs, changed: Callable[[Key], None]) -> None:
        self._client = client
        self._changed = changed
        self._latest: dict[str, Progress] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._places = asyncio.Semaphore(_FOLLOWED)

    def latest(self, uid: str) -> Progress | None:
        """Of the pod with this uid."""
        return self._latest.get(uid)

    def follow(self, worker: Follow) -> None:
        """From now until the container ends. Does nothing for a worker that is followed already."""
        if worker.uid not in self._tasks:
            task = asyncio.create_task(self._read(worker), name=f"progress of {worker.pod}")
            self._tasks[worker.uid] = task
            task.add_done_callback(lambda ended: self._ended(worker, ended))

    def forget(self, uid: str) -> None:
        """The pod is gone."""
        self._latest.pop(uid, None)
        if task := self._tasks.get(uid):
            task.cancel()

    def _ended(self, worker: Follow, task: asyncio.Task[None]) -> None:
        self._tasks.pop(worker.uid, None)
        self._latest.pop(worker.uid, None)  # what one that has ended said of its speed is no news
        if not task.cancelled():
            self._changed(Key(worker.namespace, worker.target))

    async def _read(self, worker: Follow) -> None:
        try:
            options = LogOptions(container="importer", tail_lines=1)
            async with (
                self._places,
                aclosing(self._client.log_lines(worker.namespace, worker.pod, options)) as lines,
            ):
                async for line in lines:
                    self._take(worker, line)
        except ApiError as error:
            # Progress is a comfort: an import that nobody can watch goes on all the same.
            log.info("no progress of %s/%s: %s", worker.namespace, worker.pod, error)
        await asyncio.sleep(_AGAIN_S)  # the store may call it running a moment longer: no hot loop

    def _take(self, worker: Follow, line: bytes) -> None:
        if not line.startswith(b"{"):
            return  # the log has lines for people as well
        try:
            found = msgspec.json.decode(line, type=Progress)
        except msgspec.MsgspecError:
            return
        if found != self._latest.get(worker.uid):
            self._latest[worker.uid] = found
            self._changed(Key(worker.namespace, worker.target))
