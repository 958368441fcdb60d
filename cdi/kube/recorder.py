"""Events: what ``kubectl describe`` shows at the end. Best effort, and never in the way of the work."""

from __future__ import annotations

import asyncio
import datetime
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cdi.base.printable import one_line
from cdi.kube.client import Client
from cdi.kube.errors import ApiError, NotFound
from cdi.kube.pace import Pace
from cdi.kube.resources import EVENTS

log = logging.getLogger(__name__)

_REMEMBERED = 2048  # events whose repeats are counted
_PAUSE_S = 1.0  # repeats within it are one write
_PER_S, _BURST = 20.0, 20.0  # writes: what thousands wait for must not keep the API server from the work
_REPEATED_S = (60.0, 1800.0)  # between two writes of one event, whose repeats are counted meanwhile: at first, at last
_IN_NAMESPACE = 512  # events that wait to be written: of a namespace that has more, the others' must not be lost
_MESSAGE_BYTES = 1024  # longer ones are refused
_REFERENCE = ("apiVersion", "kind", "namespace", "name", "uid")

_Identity = tuple[str, str, str, str]


@dataclass
class _Record:
    regarding: Mapping[str, str]
    type: str
    reason: str
    message: str
    first: str
    last: str = ""
    count: int = 0
    name: str = ""  # of the Event, once it is written
    written: float = 0.0  # when, by the recorder's clock
    pause_s: float = 0.0  # before it is written again

    @property
    def namespace(self) -> str:
        return self.regarding.get("namespace") or "default"  # where events of cluster-wide objects live


class Recorder:
    """``event`` only takes notes; ``run`` writes them at a bounded pace, of one namespace after the other. What is
    repeated all the time is written once a minute, and later once in half an hour, before the API server drops it."""

    def __init__(self, client: Client, component: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._client = client
        self._component = component
        self._records: dict[_Identity, _Record] = {}
        self._unwritten: dict[str, dict[_Identity, _Record]] = {}  # by namespace
        self._wake = asyncio.Event()
        self._pace = Pace(_PER_S, _BURST)

    def event(self, regarding: Mapping[str, str], type_: str, reason: str, message: str) -> None:
        """``regarding``: apiVersion, kind, name, namespace, uid. ``type_``: Normal or Warning. Repeats are counted."""
        message = one_line(message[:_MESSAGE_BYTES])
        who = regarding.get("uid") or f"{regarding.get('namespace', '')}/{regarding['name']}"
        identity = (who, type_, reason, message)
        record = self._records.pop(identity, None) or _Record(regarding, type_, reason, message, first=_now())
        record.last = _now()
        record.count += 1
        self._records[identity] = record  # at the end: the one that was silent longest is forgotten first
        if len(self._records) > _REMEMBERED:
            self._records.pop(next(iter(self._records)))
        is_repeat = record.name and self._clock() - record.written < record.pause_s
        if not is_repeat:
            self._note(identity, record)

    def _note(self, identity: _Identity, record: _Record) -> None:
        waiting = self._unwritten.setdefault(record.namespace, {})
        if identity in waiting or len(waiting) < _IN_NAMESPACE:
            waiting[identity] = record
            self._wake.set()

    async def run(self) -> None:
        """Ends by cancellation only."""
        while True:
            await self._wake.wait()
            await self.flush()
            await asyncio.sleep(_PAUSE_S)

    async def flush(self) -> None:
        """Writes what is noted; what cannot be written is lost."""
        self._wake.clear()
        while self._unwritten:
            for namespace in list(self._unwritten):
                await self._pace.spend(1)
                waiting = self._unwritten[namespace]
                record = waiting.pop(next(iter(waiting)))
                if not waiting:
                    del self._unwritten[namespace]
                await self._write_if_possible(record)

    async def _write_if_possible(self, record: _Record) -> None:
        try:
            await self._write(record)
        except (ApiError, ValueError) as error:  # ValueError: a text that is no Unicode, as others wrote it
            log.info("an event about %s is lost: %s", record.regarding["name"], error)

    async def _write(self, record: _Record) -> None:
        first_s, last_s = _REPEATED_S
        record.written = self._clock()
        record.pause_s = min(max(2 * record.pause_s, first_s), last_s)
        if record.name:
            repeat = {"count": record.count, "lastTimestamp": record.last}
            try:
                await self._client.merge_patch(EVENTS, record.name, repeat, namespace=record.namespace)
                return
            except NotFound:
                pass  # the API server drops events after an hour
        name = f"{record.regarding['name'][:200]}.{time.time_ns():x}"
        await self._client.create(EVENTS, self._body(record, name))
        record.name = name

    def _body(self, record: _Record, name: str) -> dict[str, Any]:
        return {
            "metadata": {"name": name, "namespace": record.namespace},
            "involvedObject": {field: record.regarding[field] for field in _REFERENCE if record.regarding.get(field)},
            "type": record.type,
            "reason": record.reason,
            "message": record.message.encode()[:_MESSAGE_BYTES].decode(errors="ignore"),
            "count": record.count,
            "firstTimestamp": record.first,
            "lastTimestamp": record.last,
            "source": {"component": self._component},
            "reportingComponent": self._component,
        }


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
