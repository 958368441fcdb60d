"""HTTP to the API server: two sessions, deadlines, and library exceptions turned into ours."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import aiohttp
from yarl import URL

import cdi
from cdi.base.sockets import watched_socket
from cdi.kube import errors
from cdi.kube.config import Access

log = logging.getLogger(__name__)

CONNECT_S = 10.0
ANSWER_S = 60.0  # what the API server itself gives a request
CLOSE_S = 2.0  # how long a web socket's other end may take for its farewell
AGENT = "cdi"  # also the field manager of what we patch
_MAX_CONNECTIONS = 100  # for requests that are answered at once

_MESSAGE = 4 << 20  # bytes of one that a web socket brings; a kubelet's have 32 KiB
_UNTAKEN_MS = 30_000  # after which an API server that takes nothing of a request is taken for lost


@dataclass(frozen=True)
class Call:
    """One request. ``body`` is sent as it is, with ``content_type``."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    content_type: str = "application/json"


class Transport:
    """Open it with ``async with``. Errors: those of ``cdi.kube.errors``, and nothing else.

    What lasts (watches, followed logs) has connections of its own: however many there are, nothing else waits for one.
    A lease that waits is lost.
    """

    def __init__(self, access: Access) -> None:
        self._access = access
        self._answers: aiohttp.ClientSession | None = None
        self._streams: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        self._answers, self._streams = self._session(_MAX_CONNECTIONS), self._session(0)

    def _session(self, connections: int) -> aiohttp.ClientSession:
        """``connections`` at a time; 0: without a limit."""
        made = partial(watched_socket, untaken_ms=_UNTAKEN_MS)
        connector = aiohttp.TCPConnector(limit=connections, socket_factory=made)
        headers = {"User-Agent": f"{AGENT}/{cdi.__version__}", "Accept": "application/json"}
        return aiohttp.ClientSession(connector=connector, headers=headers, proxy=self._access.proxy)

    async def close(self) -> None:
        for session in filter(None, (self._answers, self._streams)):
            await session.close()
        self._answers = self._streams = None

    async def answer(self, call: Call) -> bytes:
        """The whole body of a success."""
        limits = aiohttp.ClientTimeout(total=ANSWER_S, sock_connect=CONNECT_S)
        async with self._opened(self._answers, call, limits) as response:
            return await response.read()

    async def chunks(self, call: Call, idle_s: float | None) -> AsyncGenerator[bytes, None]:
        """The body as it comes. Unreachable when nothing comes for ``idle_s``. Close it (``aclosing``)."""
        limits = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=idle_s)
        async with self._opened(self._streams, call, limits) as response:
            async for chunk in response.content.iter_any():
                yield chunk

    @asynccontextmanager
    async def web_socket(self, call: Call, protocol: str) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
        """Open while the context is. Errors while it is being opened are ours, those of its use aiohttp's and OSError.
        What refuses it says so without words; the same request without an upgrade has them."""
        if self._streams is None:
            raise RuntimeError("the client is not open")
        limits = aiohttp.ClientWSTimeout(ws_close=CLOSE_S)
        with self._told(call):
            arguments = await self._arguments(call)
            del arguments["data"], arguments["allow_redirects"]
            arguments["headers"]["Accept"] = "*/*"  # who wants JSON is answered 406
            try:
                async with asyncio.timeout(ANSWER_S):
                    opened = await self._streams.ws_connect(
                        protocols=[protocol], timeout=limits, max_msg_size=_MESSAGE, **arguments
                    )
            except aiohttp.WSServerHandshakeError as refusal:
                raise errors.from_answer(refusal.status, refusal.message.encode()) from refusal
        try:
            yield opened
        finally:
            await opened.close()

    @asynccontextmanager
    async def _opened(
        self, session: aiohttp.ClientSession | None, call: Call, limits: aiohttp.ClientTimeout
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        if session is None:
            raise RuntimeError("the client is not open")
        with self._told(call):
            async with session.request(timeout=limits, **await self._arguments(call)) as response:
                log.debug("%s %s: %s", call.method, call.path, response.status)
                try:
                    await _must_be_success(response)
                    yield response
                finally:
                    _abandon(response)

    @contextmanager
    def _told(self, call: Call) -> Iterator[None]:
        """What the library raises as what we raise."""
        try:
            yield
        except errors.Unauthorized:
            self._access.doubt()
            raise
        except aiohttp.ClientConnectorCertificateError as cause:
            self._access.doubt()
            raise errors.Untrusted(f"{self._access.server}: {cause.certificate_error}") from cause
        except (aiohttp.ClientError, TimeoutError, OSError) as cause:
            said = str(cause) or type(cause).__name__
            raise errors.Unreachable(f"{call.method} {self._access.server}{call.path}: {said}") from cause

    async def _arguments(self, call: Call) -> dict[str, Any]:
        headers = {"Content-Type": call.content_type} if call.body is not None else {}
        if self._access.authorization:
            headers["Authorization"] = await self._access.authorization()
        url = URL(self._access.server + call.path, encoded=True)
        return {
            "method": call.method,
            "url": url.with_query(call.query) if call.query else url,
            "data": call.body,
            "headers": headers,
            "ssl": self._access.trust() if self._access.trust is not None else True,
            "allow_redirects": False,  # an API server does not redirect; a login page does
            "server_hostname": self._access.server_name,
        }


async def _must_be_success(response: aiohttp.ClientResponse) -> None:
    if response.status >= 300:
        raise errors.from_answer(response.status, await response.read(), response.headers.get("Retry-After", ""))


def _abandon(response: aiohttp.ClientResponse) -> None:
    """Cuts a connection whose answer was not read to its end. (Closing it would wait for the TLS farewell of a server
    that may be dead, unknown to the session, and be left over when the event loop ends.)"""
    if response.connection and response.connection.transport:
        response.connection.transport.abort()
