"""How many requests run."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Attendance:
    def __init__(self) -> None:
        self._running = 0
        self._quiet = asyncio.Event()
        self._quiet.set()

    @web.middleware
    async def attend(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self._running += 1
        self._quiet.clear()
        try:
            return await handler(request)
        finally:
            self._running -= 1
            if not self._running:
                self._quiet.set()

    async def quiet(self, longest_s: float) -> int:
        """Waits until no request runs, ``longest_s`` at most. How many still do."""
        try:
            async with asyncio.timeout(longest_s):
                await self._quiet.wait()
        except TimeoutError:
            pass
        return self._running
