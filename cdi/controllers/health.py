"""What a kubelet asks: whether the process lives, and whether it is ready. And the metrics."""

from __future__ import annotations

import argparse
from types import TracebackType
from typing import Self

from aiohttp import web
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest


class Health:
    """Serves from ``async with`` on. An event loop that hangs answers nothing, which is the point of /healthz."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.ready = False
        self._arguments = arguments
        self._runners: list[web.AppRunner] = []

    async def __aenter__(self) -> Self:
        probes = web.Application()
        probes.router.add_get("/healthz", self._alive)
        probes.router.add_get("/readyz", self._is_ready)
        await self._serve(probes, self._arguments.health_port)
        metrics = web.Application()
        metrics.router.add_get("/metrics", self._metrics)
        await self._serve(metrics, self._arguments.metrics_port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for runner in self._runners:
            await runner.cleanup()

    async def _serve(self, application: web.Application, port: int) -> None:
        if not port:
            return
        runner = web.AppRunner(application, access_log=None)
        await runner.setup()
        self._runners.append(runner)
        await web.TCPSite(runner, self._arguments.address or None, port).start()

    async def _alive(self, _: web.Request) -> web.Response:
        return web.Response(text="ok\n")

    async def _is_ready(self, _: web.Request) -> web.Response:
        return (
            web.Response(text="ok\n") if self.ready else web.Response(status=503, text="the stores are not complete\n")
        )

    async def _metrics(self, _: web.Request) -> web.Response:
        return web.Response(body=generate_latest(), headers={"Content-Type": CONTENT_TYPE_LATEST})
