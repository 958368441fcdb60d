"""The certificates of uploads: the proxy's towards the world and towards upload servers, and the authority of these."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import logging
from functools import partial

from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.trust.certificates import Pair
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_CLIENT_NAME, UPLOAD_PROXY, UPLOAD_SERVER, Chain
from cdi.trust.configured import Configured
from cdi.trust.keeper import Keeper, Wanted
from cdi.trust.lifetimes import Lifetimes

log = logging.getLogger(__name__)

_CHECK_S = 30.0  # how soon a Secret that somebody changed is made anew: half of what the contract grants
_CHAINS = (UPLOAD_PROXY, UPLOAD_SERVER, UPLOAD_CLIENT)


class Uploads:
    """``namespace``: where the system is installed. ``lives``: how long certificates live."""

    def __init__(self, client: Client, namespace: str, lives: Configured) -> None:
        self._keeper = Keeper(client, namespace)
        self._namespace = namespace
        self._lives = lives
        self._changed = asyncio.Event()
        lives.subscribe(self._changed.set)

    async def run(self) -> None:
        """Ends by cancellation only."""
        while True:
            await self.renew()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CHECK_S):
                    await self._changed.wait()
            self._changed.clear()

    async def renew(self, now: datetime.datetime | None = None) -> None:
        """Makes what is missing or due. What is in the way of one chain is logged, and no other one waits for it."""
        now, lives = now or datetime.datetime.now(datetime.UTC), self._lives.lifetimes
        for chain in _CHAINS:
            try:
                await self._renew(chain, wanted(chain, self._namespace, lives), lives, now)
            except (ApiError, ValueError) as error:
                log.warning("the certificates of %s are not checked: %s", chain.name, error)

    async def _renew(self, chain: Chain, target: Wanted | None, lives: Lifetimes, now: datetime.datetime) -> None:
        if target is None:
            await self._keeper.authority(chain, lives.ca, now)
            return
        leaving = partial(self._last, chain, target, now) if target.is_client else None
        authority = await self._keeper.authority(chain, lives.ca, now, leaving)
        await self._keeper.certificate(chain, authority, target, now)

    async def _last(self, chain: Chain, target: Wanted, now: datetime.datetime, leaving: Pair) -> None:
        await self._keeper.last(chain, leaving, target, now)


def wanted(chain: Chain, namespace: str, lives: Lifetimes) -> Wanted | None:
    """What is kept of what the authority signs. Pure.

    An upload pod knows the authorities of its clients from its making on, and lives for the shorter refresh at most:
    after that time every pod knows a new one.
    """
    if chain == UPLOAD_PROXY:
        name = UPLOAD_PROXY.name
        return Wanted((name, f"{name}.{namespace}", f"{name}.{namespace}.svc"), lives.server)
    if chain == UPLOAD_CLIENT:
        noticed = min(lives.server.refresh, lives.client.refresh)
        return Wanted((UPLOAD_CLIENT_NAME,), lives.client, is_client=True, noticed=noticed)
    return None
