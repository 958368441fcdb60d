"""What a kubelet asks: whether the process lives, and whether it is ready. And the metrics, for who may see them."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest

from cdi.serving.listening import serve

METRICS = "/metrics"

Refusal = Callable[[str, str], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Ports:
    """``address``: where both listen, all addresses when empty. A port of 0: not served."""

    health: int
    metrics: int
    address: str = ""


class Health:
    """Serves from ``async with`` on: probes without TLS, metrics with ``context``. An event loop that hangs answers
    nothing, which is the point of /healthz.

    ``refusal(path, authorization)``: the status of a refusal, or 0. ``registry``: what the metrics are. ``hindrance``:
    why it is not ready, empty when it is; whoever fills the stores sets it.
    """

    def __init__(self, ports: Ports, context: ssl.SSLContext, refusal: Refusal) -> None:
        self.hindrance: Callable[[], str] = lambda: "the stores are not complete"
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self._ports = ports
        self._context = context
        self._refusal = refusal
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        probes = web.Application()
        probes.router.add_get("/healthz", self._alive)
        probes.router.add_get("/readyz", self._is_ready)
        metrics = web.Application()
        metrics.router.add_get(METRICS, self._metrics)
        try:
            await self._serve(probes, self._ports.health, None)
            await self._serve(metrics, self._ports.metrics, self._context)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    async def _close(self) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(self, application: web.Application, port: int, context: ssl.SSLContext | None) -> None:
        if not port:
            return
        self._runners.append(await serve(application, context, self._ports.address, port))

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _is_ready(self, _: web.Request) -> web.Response:
        why = self.hindrance()
        return web.Response(status=503, text=f"{why}\n") if why else web.Response(text="ok\n")

    async def _metrics(self, request: web.Request) -> web.Response:
        status = await self._refusal(METRICS, request.headers.get("Authorization", ""))
        if status:
            return web.Response(status=status, text=_REFUSED[status])
        return web.Response(body=generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_LATEST})


_REFUSED = {
    401: "Unauthorized: send a bearer token that the API server knows\n",
    403: "Forbidden: the token's owner may not get the path /metrics\n",
    503: "the API server was not able to say whose token this is\n",
}
