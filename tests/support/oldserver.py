"""An API server on its bad days: what cannot be had from the real one at will."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Self

from aiohttp import web

Json = dict[str, Any]


def status(code: int, reason: str) -> Json:
    return {"kind": "Status", "status": "Failure", "code": code, "reason": reason, "message": f"this is {reason}"}


def config_map(name: str, version: int, **extra: object) -> Json:
    metadata = {"name": name, "namespace": "n", "resourceVersion": str(version), **extra}
    return {"kind": "ConfigMap", "apiVersion": "v1", "metadata": metadata, "data": {}}


@dataclass
class OldServer:
    """Knows config maps only, and no streamed lists. ``pages`` are what lists answer, ``watches`` what each further
    watch tells before it ends; the last one stays open. ``refusal`` is answered to everything while it is set."""

    pages: list[list[Json]]
    watches: list[list[tuple[str, Json]]]
    version: str = "100"
    refusal: Json | None = None
    retry_after: str = ""
    streamed: Callable[[], Json] = lambda: status(422, "Invalid")
    asked: list[str] = field(default_factory=list)
    url: str = ""

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_get("/api/v1/configmaps", self._answer)
        self._runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._runner.cleanup()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        query = request.query
        self.asked.append("stream" if "sendInitialEvents" in query else "watch" if "watch" in query else "list")
        if self.refusal:
            return self._refused(self.refusal)
        if self.asked[-1] == "stream":
            return self._refused(self.streamed())
        return await self._watch(request) if self.asked[-1] == "watch" else self._list(query.get("continue", ""))

    def _refused(self, refusal: Json) -> web.Response:
        headers = {"Retry-After": self.retry_after} if self.retry_after else {}
        return web.json_response(refusal, status=refusal["code"], headers=headers)

    def _list(self, place: str) -> web.Response:
        number = int(place or 0)
        follows = str(number + 1) if number + 1 < len(self.pages) else ""
        metadata = {"resourceVersion": self.version, "continue": follows}
        return web.json_response({"kind": "ConfigMapList", "metadata": metadata, "items": self.pages[number]})

    async def _watch(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        events = self.watches.pop(0) if len(self.watches) > 1 else None
        for kind, item in events if events is not None else self.watches[0]:
            await response.write(json.dumps({"type": kind, "object": item}).encode() + b"\n")
        if events is None:
            await asyncio.Event().wait()  # until the client or the test ends it
        return response
