"""Keeps a store equal to what the API server holds, for ever: list, watch, and again after whatever goes wrong.

::

    fill (streamed list, else pages) ---> follow from the last version seen <--+
      ^                                     |  ended, unreachable, overloaded: |
      |            410 Gone               |  wait, go on at that version     |
      +-----------------------------------+----------------------------------+
      at once, but for a second one in a row

The store is never emptied meanwhile: a fill overwrites what it meets and at its end drops what it did not meet. Only of
a kind that the server does not know any more there is nothing left.
"""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from typing import Generic, TypeVar

from msgspec import Raw, Struct, field

from cdi.kube.backoff import Backoff
from cdi.kube.client import Client, Selection, WatchEvent, WatchFrom
from cdi.kube.decoding import read
from cdi.kube.errors import ApiError, BadRequest, Gone, Invalid, NotFound, Unreachable, Unreadable
from cdi.kube.resources import Resource
from cdi.kube.store import Key, Store

log = logging.getLogger(__name__)

T = TypeVar("T")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 15.0
_HEALTHY_S = 10.0  # a watch that lasted so long was no failure
_WATCH_S = (300, 600)  # random, so that watches that began together do not end together
_UNKNOWN_KIND_S = 10.0
_STREAMED_LIST_S = 60.0  # servers whose etcd cannot report progress never end the initial events


class _StubMetadata(Struct, rename="camel", gc=False):
    name: str = ""
    namespace: str = ""
    resource_version: str = ""
    annotations: dict[str, str] | None = None


class _Stub(Struct, gc=False):
    """What the reflector itself needs of any object."""

    metadata: _StubMetadata = field(default_factory=_StubMetadata)

    @property
    def key(self) -> Key:
        return Key(self.metadata.namespace, self.metadata.name)

    @property
    def ends_initial_events(self) -> bool:
        return (self.metadata.annotations or {}).get("k8s.io/initial-events-end") == "true"


class Reflector(Generic[T]):
    """``synced`` is set when the store was complete once. A kind that the server does not know is complete, and empty,
    until it does: volume snapshots are optional in a cluster."""

    def __init__(self, client: Client, resource: Resource[T], selection: Selection, store: Store[T]) -> None:
        self._client = client
        self._resource = resource
        self._selection = selection
        self._store = store
        self._version = ""  # up to which we know everything; "" when there is nothing to go on from
        self._streams = True  # whether the server can send a list as a watch
        self._backoff = Backoff(FIRST_WAIT_S, LONGEST_WAIT_S)
        self._complaint = ""
        self._is_relisting = False  # since a Gone; nothing has come since the list
        self._failing_since: float | None = None
        self.synced = asyncio.Event()

    @property
    def blind_s(self) -> float:
        """For so many seconds the server could not be watched."""
        return 0.0 if self._failing_since is None else time.monotonic() - self._failing_since

    async def run(self) -> None:
        """Ends by cancellation only."""
        while True:
            began = time.monotonic()
            wait_s = await self._attempt()
            if time.monotonic() - began >= _HEALTHY_S:
                self._backoff.reset()
                self._is_relisting = False
            step_s = self._backoff.next_s()  # also of what is not waited: the next failure is the second one
            if wait_s is not None:
                await asyncio.sleep(max(wait_s, step_s))

    async def _attempt(self) -> float | None:
        """Fills and follows until something ends it. Gives the seconds to wait at least; None: no wait at all."""
        try:
            await self._mirror()
        except Gone:
            log.info("the server forgot version %s of %s: listing again", self._version, self._resource.plural)
            return self._forgotten()
        except NotFound:
            self._version = ""
            self._store.keep_only(())  # they went with their kind
            self._sees()
            self.synced.set()
            return _UNKNOWN_KIND_S
        except ApiError as error:
            self._complain(error)
            return error.retry_after_s
        self._sees()
        return 0.0

    def _forgotten(self) -> float | None:
        """An answer: the outage that made the server forget is over. A list that is gone at once stays in the back-off,
        and so does one that cannot be made."""
        is_first = bool(self._version) and not self._is_relisting
        self._version = ""
        self._is_relisting = True
        if not is_first:
            return 0.0
        self._backoff.reset()
        return None

    async def _mirror(self) -> None:
        if not self._version and self._streams:
            try:
                await self._mirror_from_stream()
                return
            except (BadRequest, Invalid, TimeoutError) as refusal:
                log.info("%s cannot be listed as a stream: %s", self._resource.plural, refusal)
                self._streams = False
        if not self._version:
            await self._fill_from_pages()
        async with aclosing(self._watch(WatchFrom(self._version))) as events:
            await self._follow(events)

    async def _mirror_from_stream(self) -> None:
        async with aclosing(self._watch(WatchFrom(initial_events=True))) as events:
            async with asyncio.timeout(_STREAMED_LIST_S):
                await self._fill_from(events)
            await self._follow(events)

    def _watch(self, start: WatchFrom) -> AsyncGenerator[WatchEvent, None]:
        start = replace(start, timeout_s=random.randint(*_WATCH_S))
        return self._client.watch(self._resource, self._selection, start)

    async def _fill_from(self, events: AsyncGenerator[WatchEvent, None]) -> None:
        met: set[Key] = set()
        async for event in events:
            stub = self._take(event)
            if event.type == "DELETED":
                met.discard(stub.key)
            elif event.type != "BOOKMARK":
                met.add(stub.key)
            elif stub.ends_initial_events:
                self._complete(met, stub.metadata.resource_version)
                return
        raise Unreachable("the server ended its watch before the list was complete")

    async def _fill_from_pages(self) -> None:
        met: set[Key] = set()
        version = ""
        async for page in self._client.pages(self._resource, self._selection):
            version = page.metadata.resource_version
            for item in page.items or ():
                met.add(self._put(self._stub(item), item))
        self._complete(met, version)

    def _complete(self, met: set[Key], version: str) -> None:
        self._store.keep_only(met)
        self._version = version
        self._sees()
        self.synced.set()

    async def _follow(self, events: AsyncGenerator[WatchEvent, None]) -> None:
        async for event in events:
            self._version = self._take(event).metadata.resource_version
            self._is_relisting = False
            self._sees()

    def _sees(self) -> None:
        self._complaint = ""
        self._failing_since = None

    def _take(self, event: WatchEvent) -> _Stub:
        stub = self._stub(event.object)
        if event.type == "DELETED":
            self._store.drop(stub.key)
        elif event.type != "BOOKMARK":
            self._put(stub, event.object)
        return stub

    def _stub(self, item: Raw) -> _Stub:
        return read(_Stub, item, self._resource.plural)

    def _put(self, stub: _Stub, item: Raw) -> Key:
        try:
            self._store.put(stub.key, read(self._resource.type, item, str(stub.key)), stub.metadata.resource_version)
        except Unreadable as error:
            # One strange object must not blind us for all others.
            log.error("%s are incomplete: %s", self._resource.plural, error)
        return stub.key

    def _complain(self, error: ApiError) -> None:
        """Once: an outage of an hour is no reason for an hour of lines."""
        self._failing_since = self._failing_since or time.monotonic()
        level = logging.DEBUG if self._complaint == str(error) else logging.WARNING
        self._complaint = str(error)
        log.log(level, "cannot watch %s: %s", self._resource.plural, error)
