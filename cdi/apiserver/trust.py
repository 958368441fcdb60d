"""Keeps the certificate in its Secrets, and the webhook configurations trusting it and leading to it.

    Secret cdi-apiserver-signer              the authority        tls.crt, tls.key
    Secret cdi-apiserver-server-cert         what is served       tls.crt, tls.key
    ConfigMap cdi-apiserver-signer-bundle    what is trusted      ca-bundle.crt: this authority and the one before

How long they live is said by the CDI object (``lifetimes``), and what they say of themselves by ``stated``.
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
from collections.abc import Mapping, Sequence

from cdi.api import admission
from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig
from cdi.apiserver.configurations import MUTATING, VALIDATING, Aim, Configuration, Configurations, leads_elsewhere
from cdi.apiserver.entrance import Entrance
from cdi.contract.systems import active_of
from cdi.controllers.cluster import cluster_of
from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, ApiError, Conflict
from cdi.kube.objects import Secret
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.kube.store import Store
from cdi.serving.handshakes import Handshakes
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.lifetimes import Lifetimes, lifetimes
from cdi.trust.stated import is_asked, stated

log = logging.getLogger(__name__)

SIGNER, SERVER, BUNDLE = "cdi-apiserver-signer", "cdi-apiserver-server-cert", "cdi-apiserver-signer-bundle"
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
    """``handshakes`` show the newest certificate; ``run`` keeps it so. ``names``: what it is called by.
    ``systems``: the CDI objects, the active one of which says how long certificates live."""

    def __init__(self, client: Client, namespace: str, names: Sequence[str], systems: Store[CDI]) -> None:
        self.handshakes = Handshakes()
        self._client = client
        self._namespace = namespace
        self._names = list(names)
        self._served = b""
        self._systems = systems
        self._lifetimes = Lifetimes()
        self._changed = asyncio.Event()
        self._missing: frozenset[str] = frozenset()  # configurations that are not there: made, they trust nobody yet
        self._configurations = Configurations(client, namespace)
        self.entrance = Entrance(client, namespace, self._look_again)
        self._looked = float("-inf")
        systems.subscribe(self._adopt)

    def _adopt(self, _: CDI | None, __: CDI | None) -> None:
        found = lifetimes(active_of(self._systems.all()))
        if found.complaint and found.complaint != self._lifetimes.complaint:
            log.warning("%s", found.complaint)
        if found != self._lifetimes:
            self._lifetimes = found
            self._changed.set()

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
        signer = await self._signer(now)
        bundle = await self._bundle(signer, now)
        await self.entrance.renew(now)
        await self._lead_here(Aim(_text(b"".join(bundle)), self.entrance.segment))
        pair = await self._server(signer, bundle, now)
        if pair.certificate != self._served:
            self.handshakes.show(pair.certificate, pair.key)
            self._served = pair.certificate

    async def _signer(self, now: datetime.datetime) -> Pair:
        secret = await self._client.find(SECRETS, SIGNER, self._namespace)
        pair, life = _pair(secret), self._lifetimes.ca
        asked = is_asked(_annotations(secret), life, now)
        if (
            pair is not None
            and certificates.is_pair(pair)
            and not (asked or certificates.is_due(pair.certificate, life, now))
        ):
            return pair
        log.info("a new certificate authority is made")
        made = certificates.authority("cdi-apiserver", life.duration, now)
        return await self._kept(SIGNER, secret, made, stated(made, life))

    async def _server(self, signer: Pair, trusted: Sequence[bytes], now: datetime.datetime) -> Pair:
        secret = await self._client.find(SECRETS, SERVER, self._namespace)
        pair, life = _pair(secret), self._lifetimes.server
        asked = is_asked(_annotations(secret), life, now, self._names)
        if pair is not None and certificates.may_stay(pair, trusted, life, now, asked=asked):
            return pair
        log.info("a new server certificate is made")
        made = certificates.server(signer, self._names, life.duration, now)
        return await self._kept(SERVER, secret, made, stated(made, life, self._names))

    async def _kept(self, name: str, before: Secret | None, made: Pair, said: Mapping[str, str]) -> Pair:
        """``made``, or what another pod has made in the same moment."""
        data = {"tls.crt": _text(made.certificate), "tls.key": _text(made.key)}
        metadata: dict[str, object] = {"name": name, "namespace": self._namespace, "annotations": said}
        try:
            if before is None:
                await self._client.create(SECRETS, {"metadata": metadata, "type": "kubernetes.io/tls", "data": data})
            else:
                known = {"resourceVersion": before.metadata.resource_version, "annotations": said}
                patch = {"metadata": known, "data": data}
                await self._client.merge_patch(SECRETS, name, patch, namespace=self._namespace)
        except (AlreadyExists, Conflict):
            other: Secret = await self._client.get(SECRETS, name, self._namespace)
            return _pair(other) or made
        return made

    async def _bundle(self, signer: Pair, now: datetime.datetime) -> list[bytes]:
        known = await self._client.find(CONFIG_MAPS, BUNDLE, self._namespace)
        before = known.data.get("ca-bundle.crt", "").encode() if known else b""
        parts = certificates.still_valid([signer.certificate, *certificates.split(before)], now)
        bundle = b"".join(parts)
        if bundle != before:
            data = {"ca-bundle.crt": bundle.decode()}
            metadata = {"name": BUNDLE, "namespace": self._namespace}
            try:
                if known is None:
                    await self._client.create(CONFIG_MAPS, {"metadata": metadata, "data": data})
                else:
                    await self._client.merge_patch(CONFIG_MAPS, BUNDLE, {"data": data}, namespace=self._namespace)
            except AlreadyExists:
                log.debug("the bundle is there by now")
        return parts

    async def _lead_here(self, aim: Aim) -> None:
        missing: set[str] = set()
        for resource, name in _CONFIGURATIONS:
            if await self._configurations.keep(resource, name, aim):
                continue
            missing.add(name)
            if name not in self._missing:
                log.warning("%s %s is missing: what it checks is not checked", resource.kind, name)
        self._missing = frozenset(missing)


def _annotations(secret: Secret | None) -> Mapping[str, str]:
    return secret.metadata.annotations if secret is not None else {}


def _pair(secret: Secret | None) -> Pair | None:
    if secret is None or "tls.crt" not in secret.data or "tls.key" not in secret.data:
        return None
    return Pair(secret.data["tls.crt"], secret.data["tls.key"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
