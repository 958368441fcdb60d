"""Connections to a port of a pod through the API server, as sockets for code that blocks. Nothing listens anywhere."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import errno
import logging
import socket
import threading
from types import TracebackType
from typing import Self

import aiohttp

from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.kube.errors import ApiError

log = logging.getLogger(__name__)


class Tunnel:
    """To ``port`` of ``pod``, from ``with`` on, whose end cuts what is open. An event loop in a thread of its own
    carries the bytes: the caller's may block, and be interrupted."""

    def __init__(self, access: Access, namespace: str, pod: str, port: int) -> None:
        self._access = access
        self._target = (namespace, pod, port)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="tunnel", daemon=True)
        self._pumps: set[asyncio.Task[None]] = set()
        self._client = Client(access)
        self._dialing: concurrent.futures.Future[socket.socket] | None = None
        self._is_interrupted = False

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._client.__aenter__(), self._loop).result()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def dial(self) -> socket.socket:
        """A new connection. Blocking; raises ApiError: Forbidden for who may not forward ports, with the words of the
        API server; OSError after ``interrupt``. That nothing listens at the port, or that the pod ends, ends the
        connection."""
        self._dialing = asyncio.run_coroutine_threadsafe(self._dial(), self._loop)
        if self._is_interrupted:  # before the line above: interrupt() saw another future or none
            self._dialing.cancel()
        try:
            return self._dialing.result()
        except concurrent.futures.CancelledError as error:
            raise OSError(errno.ECANCELED, "interrupted") from error

    def interrupt(self) -> None:
        """Ends a ``dial`` that is waited for, and every later one. From another thread."""
        self._is_interrupted = True
        if self._dialing is not None:
            self._dialing.cancel()

    async def _dial(self) -> socket.socket:
        near, far = socket.socketpair()
        far.setblocking(False)
        opened: asyncio.Future[None] = self._loop.create_future()
        pump = asyncio.create_task(self._carry(far, opened))
        self._pumps.add(pump)
        pump.add_done_callback(self._pumps.discard)
        try:
            await opened
        except BaseException:
            near.close()
            far.close()  # the pump may not have begun
            pump.cancel()
            raise
        return near

    async def _carry(self, far: socket.socket, opened: asyncio.Future[None]) -> None:
        with contextlib.closing(far):
            try:
                async with self._client.port_forward(*self._target) as forward:
                    opened.set_result(None)
                    complaint = await forward.pump(far)
            except ApiError as error:
                opened.set_exception(error)
            except (OSError, aiohttp.ClientError) as error:
                log.debug("the tunnel broke: %s", error)
            else:
                log.debug("the tunnel ended: %s", complaint or "without a complaint")

    async def _end(self) -> None:
        for pump in self._pumps:
            pump.cancel()
        if self._pumps:
            await asyncio.wait(self._pumps)
        await self._client.__aexit__(None, None, None)
