"""Keeps authorities and certificates in the cluster: makes what is missing, broken, or due.

    Secret NAME-signer              the authority              tls.crt, tls.key
    ConfigMap NAME-signer-bundle    who is trusted             ca-bundle.crt: this authority, and those before it
    Secret of the target            what the authority signed  tls.crt, tls.key

How long they live is said by the CDI object (``lifetimes``), and what they say of themselves by ``stated``.
Several processes may do this at once: who comes second finds what the first one made.
"""

from __future__ import annotations

import base64
import datetime
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from cdi.kube.client import Client
from cdi.kube.errors import AlreadyExists, Conflict
from cdi.kube.objects import Secret
from cdi.kube.resources import CONFIG_MAPS, SECRETS
from cdi.trust import certificates
from cdi.trust.certificates import Pair
from cdi.trust.chains import BUNDLE_KEY, Chain
from cdi.trust.lifetimes import Lifetime
from cdi.trust.stated import is_asked, stated

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Authority:
    """``trusted``: PEM of the authorities that are believed, the newest first; that one is the ``pair``'s."""

    pair: Pair
    trusted: Sequence[bytes]


@dataclass(frozen=True, slots=True)
class Wanted:
    """One certificate. ``names``: of a server, all that it is called by; of a client, the one by which it is known.
    ``noticed``: after which time everybody who verifies it knows a new authority."""

    names: tuple[str, ...]
    life: Lifetime
    is_client: bool = False
    noticed: datetime.timedelta = certificates.NOTICED

    @property
    def hosts(self) -> tuple[str, ...]:
        return () if self.is_client else self.names

    def made(self, authority: Pair, now: datetime.datetime) -> Pair:
        if self.is_client:
            return certificates.client(authority, self.names[0], self.life.duration, now)
        return certificates.server(authority, list(self.names), self.life.duration, now)


class Keeper:
    def __init__(self, client: Client, namespace: str) -> None:
        self._client = client
        self._namespace = namespace

    async def authority(
        self,
        chain: Chain,
        life: Lifetime,
        now: datetime.datetime,
        leaving: Callable[[Pair], Awaitable[object]] | None = None,
    ) -> Authority:
        """``leaving``: is told of an authority that can still sign, before another one takes its place.
        Raises ApiError."""
        secret = await self._client.find(SECRETS, chain.signer, self._namespace)
        pair = _pair(secret)
        is_sound = pair is not None and certificates.is_pair(pair)
        if pair is None or not is_sound or _is_due(pair, secret, life, now):
            if pair is not None and is_sound and leaving is not None:
                await leaving(pair)
            log.info("a new certificate authority is made: %s", chain.name)
            made = certificates.authority(chain.signer, life.duration, now)
            pair = await self._kept(chain.signer, secret, made, stated(made, life))
        return Authority(pair, await self._bundle(chain, pair, now))

    async def certificate(self, chain: Chain, authority: Authority, wanted: Wanted, now: datetime.datetime) -> Pair:
        """The one of the chain's target. Raises ApiError."""
        secret = await self._client.find(SECRETS, chain.target, self._namespace)
        pair = _pair(secret)
        if pair is not None and _may_stay(pair, secret, authority, wanted, now):
            return pair
        return await self._signed(chain, secret, authority.pair, wanted, now)

    async def last(self, chain: Chain, leaving: Pair, wanted: Wanted, now: datetime.datetime) -> None:
        """Makes the one of the chain's target anew before its authority leaves: the next one signs nothing until it is
        known everywhere. An authority that is not known itself yet does so only where there is no time left.
        Raises ApiError."""
        secret = await self._client.find(SECRETS, chain.target, self._namespace)
        pair = _pair(secret)
        is_known = now - certificates.span(leaving.certificate)[0] >= wanted.noticed
        if is_known or pair is None or certificates.ends_within(pair.certificate, wanted.noticed, now):
            await self._signed(chain, secret, leaving, wanted, now)

    async def _signed(
        self, chain: Chain, before: Secret | None, authority: Pair, wanted: Wanted, now: datetime.datetime
    ) -> Pair:
        log.info("a new certificate is made: %s", chain.target)
        made = wanted.made(authority, now)
        return await self._kept(chain.target, before, made, stated(made, wanted.life, wanted.hosts))

    async def _kept(self, name: str, before: Secret | None, made: Pair, said: Mapping[str, str]) -> Pair:
        """``made``, or what another process has made in the same moment."""
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

    async def _bundle(self, chain: Chain, signer: Pair, now: datetime.datetime) -> list[bytes]:
        known = await self._client.find(CONFIG_MAPS, chain.bundle, self._namespace)
        before = known.data.get(BUNDLE_KEY, "").encode() if known else b""
        parts = certificates.still_valid([signer.certificate, *certificates.split(before)], now)
        bundle = b"".join(parts)
        if bundle != before:
            data = {BUNDLE_KEY: bundle.decode()}
            metadata = {"name": chain.bundle, "namespace": self._namespace}
            try:
                if known is None:
                    await self._client.create(CONFIG_MAPS, {"metadata": metadata, "data": data})
                else:
                    patch = {"metadata": {"resourceVersion": known.metadata.resource_version}, "data": data}
                    await self._client.merge_patch(CONFIG_MAPS, chain.bundle, patch, namespace=self._namespace)
            except (AlreadyExists, Conflict):
                log.debug("another process has written %s", chain.bundle)
        return parts


def _may_stay(pair: Pair, secret: Secret | None, authority: Authority, wanted: Wanted, now: datetime.datetime) -> bool:
    """One that is due says so itself: that is nobody's wish."""
    is_due = certificates.is_due(pair.certificate, wanted.life, now)
    asked = not is_due and is_asked(_annotations(secret), wanted.life, now, wanted.hosts)
    if certificates.may_stay(pair, authority.trusted, wanted.life, now, asked=asked):
        return True
    return not asked and certificates.can_wait(pair, authority.trusted, wanted.noticed, now)


def _is_due(pair: Pair, secret: Secret | None, life: Lifetime, now: datetime.datetime) -> bool:
    return is_asked(_annotations(secret), life, now) or certificates.is_due(pair.certificate, life, now)


def _annotations(secret: Secret | None) -> Mapping[str, str]:
    return secret.metadata.annotations if secret is not None else {}


def _pair(secret: Secret | None) -> Pair | None:
    if secret is None or "tls.crt" not in secret.data or "tls.key" not in secret.data:
        return None
    return Pair(secret.data["tls.crt"], secret.data["tls.key"])


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
