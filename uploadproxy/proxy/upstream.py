"""The upload servers as this proxy reaches them: over TLS with a client certificate, and only where the server's name
and authority are right."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from types import TracebackType
from typing import Self

import aiohttp
from aiohttp.abc import AbstractResolver

from cdi.base.faults import Fault
from cdi.base.sockets import watched_socket
from cdi.base.wire.upload import PORT
from cdi.kube.client import Client
from cdi.kube.errors import ApiError
from cdi.kube.resources import CONFIG_MAPS
from cdi.serving.chain import load_chain
from cdi.trust.chains import BUNDLE_KEY
from uploadproxy.proxy.keypair import Contents, Files
from uploadproxy.proxy.refusal import Refusal

log = logging.getLogger(__name__)

_CONNECT_S = 5.0


@dataclass(frozen=True, slots=True)
class Authorities:
    """The ConfigMap of those that vouch for upload servers."""

    client: Client
    namespace: str
    name: str

    async def read(self) -> str:
        """PEM. Raises ApiError."""
        found = await self.client.get(CONFIG_MAPS, self.name, self.namespace)
        return found.data.get(BUNDLE_KEY, "")


class Upstream:
    """Open it with ``async with``. ``resolver``, ``port``: where servers are, in place of the cluster's names."""

    def __init__(
        self, files: Files, authorities: Authorities, resolver: AbstractResolver | None = None, port: int = PORT
    ) -> None:
        self.port = port
        self._files = files
        self._authorities = authorities
        self._resolver = resolver
        self._made_of: tuple[Contents, str] | None = None
        self._context: ssl.SSLContext | None = None
        self._kept: aiohttp.ClientSession | None = None
        self._fresh: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        # What has a body gets a connection of its own: on one that the server is just closing the body would be lost,
        # and it cannot be sent again.
        self._kept, self._fresh = self._session(is_kept=True), self._session(is_kept=False)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in filter(None, (self._kept, self._fresh)):
            await session.close()

    def session(self, *, with_body: bool) -> aiohttp.ClientSession:
        chosen = self._fresh if with_body else self._kept
        if chosen is None:
            raise RuntimeError("it is not open")
        return chosen

    async def trust(self) -> ssl.SSLContext:
        """Made anew when the certificate or the authorities have changed. Raises Refusal."""
        try:
            made_of = (self._files.read(), await self._authorities.read())
            if self._context is None or made_of != self._made_of:
                self._context, self._made_of = _context(*made_of), made_of
        except (OSError, ApiError, ValueError) as cause:  # an SSLError is an OSError
            log.error("no connection to an upload server can be made: %s", cause)
            raise Refusal(500, Fault("UploadProxyUnable", cause=cause)) from cause
        return self._context

    def _session(self, *, is_kept: bool) -> aiohttp.ClientSession:
        connector = aiohttp.TCPConnector(
            limit=0,
            use_dns_cache=False,  # the name of a pod that was replaced leads to another address
            resolver=self._resolver,
            socket_factory=watched_socket,  # no bound on bytes that wait: storage may stand still for minutes
            force_close=not is_kept,
        )
        return aiohttp.ClientSession(
            connector=connector,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=_CONNECT_S),
            auto_decompress=False,
            skip_auto_headers=("Accept", "Accept-Encoding", "Content-Type", "User-Agent"),
            cookie_jar=aiohttp.DummyCookieJar(),
        )


def _context(pair: Contents, bundle: str) -> ssl.SSLContext:
    """Raises ssl.SSLError, and ValueError where there are no authorities."""
    if not bundle:
        raise ValueError(f"there is nothing in {BUNDLE_KEY}: no upload server can be trusted")
    context = ssl.create_default_context(cadata=bundle)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    load_chain(context, pair.certificate, pair.key)
    return context
