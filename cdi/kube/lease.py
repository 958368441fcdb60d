"""At most one process works: whoever holds a Lease.

The holder renews it all 2 s. One that could not for 10 s ends itself, even when its event loop hangs; the others wait
until they have seen no renewal for 15 s on their own clock, which goes on while a machine sleeps. So there are never
two, whatever the clocks of the nodes say, and also when somebody deletes the lease.
"""

from __future__ import annotations

import asyncio
import datetime
import logging
import os
import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, Conflict, NotFound
from cdi.kube.objects import Lease
from cdi.kube.resources import LEASES

log = logging.getLogger(__name__)


def end_process() -> None:
    os._exit(1)  # not sys.exit: nothing that a destructor or handler writes now would be allowed


@dataclass(frozen=True)
class Terms:
    """Seconds. ``lost`` is called, possibly in another thread, when the lease is not ours any more."""

    duration_s: int = 15
    renew_within_s: float = 10.0
    retry_s: float = 2.0
    lost: Callable[[], None] = end_process


_TERMS = Terms()


class Leadership:
    """``async with``: enters when we hold the lease, gives it back at the end, and calls ``terms.lost`` between.

    ``identity`` must differ between any two processes that ever ran: the pod's name and something random.
    """

    def __init__(self, client: Client, namespace: str, name: str, identity: str, terms: Terms = _TERMS) -> None:
        self._client = client
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._terms = terms
        self._version = ""  # of the lease as we saw it last; "" when there was none
        self._seen_at = 0.0
        self._held_s = 0.0  # for how long its holder may go without a renewal
        self._watchdog = _Watchdog(terms)
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        while not await self._taken():  # noqa: ASYNC110 - each look is a request
            await asyncio.sleep(self._terms.retry_s * random.uniform(0.8, 1.2))
        log.info("%s leads", self._identity)
        self._watchdog.start()
        self._renewing = asyncio.create_task(self._renew_for_ever(), name=f"lease-{self._name}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._renewing:
            self._renewing.cancel()
            await asyncio.gather(self._renewing, return_exceptions=True)
        self._watchdog.stop()
        try:
            async with asyncio.timeout(self._terms.retry_s):
                await self._give_back()
        except (ApiError, TimeoutError) as cause:
            log.info("the lease was not given back, it expires: %s", cause)

    async def _give_back(self) -> None:
        given = {"holderIdentity": None, "leaseDurationSeconds": 1, "renewTime": now()}
        try:
            await self._patch(given)
        except Conflict:  # with a renewal of ours, perhaps, that was cancelled and happened
            lease = await self._client.get(LEASES, self._name, self._namespace)
            if lease.spec.holder_identity == self._identity:
                self._version = lease.metadata.resource_version
                await self._patch(given)

    async def _taken(self) -> bool:
        """One attempt to get the lease."""
        began = _clock()
        try:
            async with self._patience():
                return await self._attempt(began)
        except (AlreadyExists, Conflict):
            return False  # another one was faster
        except (ApiError, TimeoutError) as error:
            self._complain("taken", error)
            return False

    async def _attempt(self, began: float) -> bool:
        lease = await self._client.find(LEASES, self._name, self._namespace)
        if lease is None:
            if self._unchanged_s(None) < self._held_s:
                return False  # somebody deleted it, and its holder may not know
            self._version = (await self._created()).metadata.resource_version
        elif may_take(lease, self._identity, self._unchanged_s(lease)):
            await self._patch(self._claim(lease))
        else:
            return False
        self._watchdog.renewed(began)
        return True

    def _patience(self) -> asyncio.Timeout:
        """With one request: of a connection that hangs, another one can still be in time."""
        return asyncio.timeout(self._terms.renew_within_s / 3)

    def _complain(self, what: str, error: Exception) -> None:
        log.warning("the lease %s is not %s: %s", self._name, what, str(error) or "no answer")

    def _unchanged_s(self, lease: Lease | None) -> float:
        version = lease.metadata.resource_version if lease is not None else ""
        if version != self._version:
            self._version = version
            self._seen_at = _clock()
        if lease is not None:
            self._held_s = float(lease.spec.lease_duration_seconds or 0) if lease.spec.holder_identity else 0.0
        return _clock() - self._seen_at

    async def _renew_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._terms.retry_s)
            began = _clock()
            try:
                async with self._patience():
                    await self._patch({"renewTime": now()})
                self._watchdog.renewed(began)
            except NotFound:
                await self._make_anew(began)
            except Conflict:
                await self._look_who_holds_it()
            except (ApiError, TimeoutError) as error:
                self._complain("renewed", error)

    async def _make_anew(self, began: float) -> None:
        """Somebody deleted it. The others wait before they make one."""
        try:
            async with self._patience():
                self._version = (await self._created()).metadata.resource_version
            self._watchdog.renewed(began)
        except AlreadyExists:
            await self._look_who_holds_it()
        except (ApiError, TimeoutError) as error:
            self._complain("renewed", error)

    async def _look_who_holds_it(self) -> None:
        try:
            async with self._patience():
                lease = await self._client.get(LEASES, self._name, self._namespace)
        except (ApiError, TimeoutError) as error:
            self._complain("renewed", error)
            return
        if lease.spec.holder_identity == self._identity:
            self._version = lease.metadata.resource_version  # somebody wrote a label or so
        else:
            log.critical("the lease %s is held by %s", self._name, lease.spec.holder_identity)
            self._terms.lost()

    async def _created(self) -> Lease:
        spec = self._claim(Lease())
        return await self._client.create(LEASES, {"metadata": self._metadata(), "spec": spec})

    async def _patch(self, spec: dict[str, Any]) -> None:
        patch = {"metadata": {"resourceVersion": self._version}, "spec": spec}
        lease = await self._client.merge_patch(LEASES, self._name, patch, namespace=self._namespace)
        self._version = lease.metadata.resource_version

    def _metadata(self) -> dict[str, str]:
        return {"name": self._name, "namespace": self._namespace}

    def _claim(self, lease: Lease) -> dict[str, Any]:
        return {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": self._terms.duration_s,
            "acquireTime": now(),
            "renewTime": now(),
            "leaseTransitions": (lease.spec.lease_transitions or 0) + (lease.spec.holder_identity != self._identity),
        }


def may_take(lease: Lease, identity: str, unchanged_s: float) -> bool:
    """Its holder gave it back, is ourselves, or has not renewed it for as long as it said itself."""
    holder = lease.spec.holder_identity
    return not holder or holder == identity or unchanged_s > (lease.spec.lease_duration_seconds or 0)


def now() -> str:
    """The API's MicroTime: always six digits, always UTC."""
    return datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _clock() -> float:
    """Seconds that no clock setting changes, and that a machine's sleep does not stop."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class _Watchdog:
    """A thread, so that a hanging event loop does not keep a lease that it cannot renew."""

    def __init__(self, terms: Terms) -> None:
        self._terms = terms
        self._deadline = 0.0
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease-watchdog", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()

    def renewed(self, at: float) -> None:
        """``at``: the clock's time before the request was sent."""
        self._deadline = at + self._terms.renew_within_s

    def _run(self) -> None:
        while not self._stopped.wait(min(0.5, self._terms.renew_within_s / 10)):
            if _clock() > self._deadline:
                log.critical("the lease was not renewed for %s s", self._terms.renew_within_s)
                self._terms.lost()
                return
