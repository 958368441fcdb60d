"""As much of an API server as a tunnel needs: it forwards to ports of loopback, as a kubelet does.

with ApiWithPods() as api:
    api.pods["pod"] = port
"""

from __future__ import annotations

import asyncio
import threading
from types import TracebackType
from typing import Self

from aiohttp import WSMsgType, web

from cdi.kube.config import Access
from cdi.kube.portforward import PROTOCOL

_PORT = (8443).to_bytes(2, "little")


class ApiWithPods:
    """``pods``: where what a pod listens to is, by its name. ``refusal``: what everybody is answered with, of status
    403. ``splits``: the first messages come byte by byte. ``tunnels``: how many there have been."""

    def __init__(self) -> None:
        self.pods: dict[str, int] = {}
        self.refusal = ""
        self.splits = False
        self.tunnels = 0
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._runner: web.AppRunner | None = None
        self.port = 0

    @property
    def access(self) -> Access:
        return Access(f"http://127.0.0.1:{self.port}")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._runner is not None
        asyncio.run_coroutine_threadsafe(self._runner.cleanup(), self._loop).result(30)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)
        self._loop.close()

    async def _start(self) -> None:
        application = web.Application()
        application.router.add_get("/api/v1/namespaces/{namespace}/pods/{pod}/portforward", self._forward)
        self._runner = web.AppRunner(application, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]

    async def _forward(self, request: web.Request) -> web.StreamResponse:
        if self.refusal:
            status = {"kind": "Status", "code": 403, "reason": "Forbidden", "message": self.refusal}
            return web.json_response(status, status=403)
        opened = web.WebSocketResponse(protocols=[PROTOCOL], max_msg_size=0)
        if not opened.can_prepare(request).ok:
            return web.json_response({"kind": "Status", "code": 400, "message": "Upgrade request required"}, status=400)
        if request.headers["Accept"] != "*/*":  # as API servers have it
            return web.json_response({"kind": "Status", "code": 406}, status=406)
        await opened.prepare(request)
        self.tunnels += 1
        assert request.query["ports"] == "8443"
        for channel in (b"\0", b"\1"):
            for part in (_PORT[:1], _PORT[1:]) if self.splits else (_PORT,):
                await opened.send_bytes(channel + part)
        await self._carry(opened, self.pods.get(request.match_info["pod"], 0))
        return opened

    async def _carry(self, opened: web.WebSocketResponse, port: int) -> None:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError as error:
            await opened.send_bytes(b"\1" + str(error).encode())
            await opened.close()
            return
        back = asyncio.create_task(self._back(reader, opened))
        async for message in opened:
            if message.type is WSMsgType.BINARY and message.data[:1] == b"\0":
                writer.write(message.data[1:])
                await writer.drain()
        writer.close()
        back.cancel()

    async def _back(self, reader: asyncio.StreamReader, opened: web.WebSocketResponse) -> None:
        while data := await reader.read(1 << 15):
            await opened.send_bytes(b"\0" + data)
        await opened.close()
