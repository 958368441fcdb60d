"""Serves the newest certificate of cdi-apiserver, and keeps the webhook configurations and the APIService trusting it,
and the former leading to it.

Several pods may do this at once: who comes second finds what the first one made.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import datetime
import logging
import ssl
import time
from collections.abc import Sequence

from cdi.api import admission
from cdi.api.cdiconfig import CDIConfig
from cdi.apiserver import apiservice
from cdi.apiserver.configurations import MUTATING, VALIDATING, Aim, Configuration, Configurations, leads_elsewhere
from cdi.apiserver.entrance import Entrance
from cdi.controllers.cluster import cluster_of
from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.serving.handshakes import Handshakes
from cdi.trust.chains import APISERVER
from cdi.trust.configured import Configured
from cdi.trust.keeper import Keeper, Wanted

log = logging.getLogger(__name__)

_SOON_S = 2.0  # while a configuration is missing: from its making until it trusts us, it refuses everything
_CHECK_S = 30.0  # how soon a Secret that somebody changed is served


_CONFIGURATIONS = (
    *((MUTATING, name) for name in admission.MUTATING),
    *((VALIDATING, name) for name in admission.VALIDATING),
)


def service_names(namespace: str) -> list[str]:
    base = f"cdi-api.{namespace}"
    return [f"{base}.svc", base, "cdi-api", f"{base}.svc.cluster.local"]


class Trust:
    """``handshakes`` show the newest certificate; ``run`` keeps it so. ``names``: what it is called by. ``lives``: how
    long certificates live."""

    def __init__(self, client: Client, namespace: str, names: Sequence[str], lives: Configured) -> None:
        self.handshakes = Handshakes()
        self._client = client
        self._keeper = Keeper(client, namespace)
        self._names = tuple(names)
        self._served = b""
        self._lives = lives
        self._changed = asyncio.Event()
        self._missing: frozenset[str] = frozenset()  # what is not there: once made it trusts nobody yet
        self._configurations = Configurations(client, namespace)
        self.entrance = Entrance(client, namespace, self._look_again)
        self._looked = float("-inf")
        lives.subscribe(self._changed.set)

    def adopt_rendering(self, _: CDIConfig | None, config: CDIConfig | None) -> None:
        """Follows a store: whether claims are completed."""
        wanted = cluster_of(config, None).webhook_rendering
        if wanted != self._configurations.with_rendering:
            self._configurations.with_rendering = wanted
            self._changed.set()

    def adopt_way(self, _: Configuration | None, found: Configuration | None) -> None:
        """Follows a store of the configuration for DataVolumes: the way is put right at once."""
        if found is not None and self.entrance.segment and leads_elsewhere(found, self.entrance.segment):
            self._changed.set()

    def _look_again(self) -> None:
        """Manifests that were applied again lead past the entrance. Whoever else passes by costs little."""
        if time.monotonic() - self._looked > _SOON_S:
            self._changed.set()

    async def run(self) -> None:
        """Ends by cancellation only."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_SOON_S if self._missing else _CHECK_S):
                    await self._changed.wait()
            self._changed.clear()
            try:
                await self.renew()
            except (ApiError, ValueError, ssl.SSLError) as error:
                log.warning("certificates are not checked: %s", error)

    async def renew(self, now: datetime.datetime | None = None) -> None:
        """Makes what is missing or due. Nothing is served before its authority is trusted."""
        now = now or datetime.datetime.now(datetime.UTC)
        self._looked = time.monotonic()
        lives = self._lives.lifetimes
        authority = await self._keeper.authority(APISERVER, lives.ca, now)
        await self.entrance.renew(now)
        bundle = base64.b64encode(b"".join(authority.trusted)).decode()
        await self._lead_here(Aim(bundle, self.entrance.segment))
        pair = await self._keeper.certificate(APISERVER, authority, Wanted(self._names, lives.server), now)
        if pair.certificate != self._served:
            self.handshakes.show(pair.certificate, pair.key)
            self._served = pair.certificate

    async def _lead_here(self, aim: Aim) -> None:
        missing: set[str] = set()
        for resource, name in _CONFIGURATIONS:
            if await self._configurations.keep(resource, name, aim):
                continue
            missing.add(name)
            if name not in self._missing:
                log.warning("%s %s is missing: what it checks is not checked", resource.kind, name)
        if not await apiservice.keep(self._client, aim.bundle):
            missing.add(admission.API_SERVICE)
            if admission.API_SERVICE not in self._missing:
                log.warning("APIService %s is missing: nobody gets upload tokens", admission.API_SERVICE)
        self._missing = frozenset(missing)
