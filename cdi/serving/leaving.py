"""The last seconds of a server: nobody is refused because it is replaced."""

from __future__ import annotations

from dataclasses import dataclass

from aiohttp import web


@dataclass
class Leaving:
    """Whether the process is about to end: it says so, and answers on for a while. An API server that does not know
    yet would else refuse what somebody asked of it."""

    begun: bool = False

    async def close_connections(self, _: web.Request, response: web.StreamResponse) -> None:
        if self.begun:
            response.headers["Connection"] = "close"
            response.force_close()  # the next request comes over another one, to a process that stays

    async def ready(self, _: web.Request) -> web.Response:
        return web.Response(status=503, text="leaving\n") if self.begun else web.Response(text="ok\n")
