"""Where the proxy listens."""

from __future__ import annotations

import asyncio
import logging
import ssl
from dataclasses import dataclass

from aiohttp import web

from cdi.serving.listening import QUIET_S
from uploadproxy.proxy.attendance import Attendance
from uploadproxy.proxy.connection import HEAD_S, LARGEST_HEADER, LARGEST_HEADERS, LINGER_S, UNHEARD, Connection, Turned

log = logging.getLogger(__name__)

_FAREWELL_S = 5.0
LARGEST_CROWD = 200  # connections: each may hold 1.5 MiB while its client floods us
_QUEUE = 256 << 10  # bytes of a body that wait to be passed on; twice as many at most


@dataclass(frozen=True, slots=True)
class Place:
    """``address``: empty for all addresses of the pod."""

    context: ssl.SSLContext
    address: str = ""
    port: int = 8443


class Listening:
    """From ``open`` on."""

    def __init__(self, served: web.Application, attendance: Attendance) -> None:
        self._attendance = attendance
        self._runner = web.AppRunner(served, access_log=None, shutdown_timeout=_FAREWELL_S)
        self._server: asyncio.Server | None = None

    @property
    def port(self) -> int:
        assert self._server is not None
        return int(self._server.sockets[0].getsockname()[1])

    async def open(self, place: Place) -> None:
        """Raises OSError where it cannot listen."""
        await self._runner.setup()
        self._server = await asyncio.get_running_loop().create_server(
            self._accepted,
            place.address or None,
            place.port,
            ssl=place.context,
            ssl_handshake_timeout=HEAD_S,
            ssl_shutdown_timeout=_FAREWELL_S,
        )

    async def close(self, grace_s: float = 0.0) -> None:
        """Takes no more connections; requests that run have ``grace_s``. (The library's own way of waiting throws away
        what comes meanwhile, so no upload would ever end.)"""
        if self._server is not None:
            self._server.close()
            cut_off = await self._attendance.quiet(grace_s)
            if cut_off:
                log.warning("%d requests are cut off", cut_off)
        await self._runner.cleanup()

    def _accepted(self) -> asyncio.Protocol:
        assert self._runner.server is not None
        present = [one for one in self._runner.server.connections if one.transport is not None]
        if len(present) >= LARGEST_CROWD:
            idle = next((one for one in present if isinstance(one, Connection) and one.is_idle), None)
            if idle is None:
                return Turned()
            idle.make_room()  # who says nothing, or was answered
        return Connection(
            self._runner.server,
            loop=asyncio.get_running_loop(),
            access_log=None,  # type: ignore[arg-type]  # aiohttp's own way to have none
            logger=UNHEARD,
            keepalive_timeout=QUIET_S,
            lingering_time=LINGER_S,
            max_headers=LARGEST_HEADERS,
            max_field_size=LARGEST_HEADER,
            read_bufsize=_QUEUE,
            auto_decompress=False,  # what is compressed is the server's to read
        )
