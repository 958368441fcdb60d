"""A forwarder between a client and a server on loopback that can be cut or stalled, and counts connections."""

from __future__ import annotations

import asyncio
from types import TracebackType
from typing import Self

from support.ports import free_port


class Link:
    """``async with Link(port)``: what connects to ``port`` of it reaches ``target_port``, until ``cut``."""

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self.port = free_port()
        self.connections = 0
        self._up = True
        self._open: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._accepted, "127.0.0.1", self.port)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server:
            self._server.close()
        self.cut()
        await asyncio.sleep(
            0
        )  # a connection that was accepted just now begins: cancelled before, its socket stays open
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Connections are reset, and new ones too."""
        self._up = False
        for writer in self._open:
            writer.transport.abort()

    def stall(self) -> None:
        """What is connected hears nothing any more, without an end; whoever connects now is served."""
        for writer in self._open:
            writer.transport.pause_reading()

    def restore(self) -> None:
        self._up = True

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        if not self._up:
            writer.transport.abort()
            return
        task = asyncio.current_task()
        assert task
        self._tasks.add(task)
        self._open.add(writer)
        try:
            there, back = await asyncio.open_connection("127.0.0.1", self._target_port)
            self._open.add(back)
            try:
                await asyncio.gather(_copy(reader, back), _copy(there, writer))
            finally:
                self._open.discard(back)
                back.close()
        except OSError:
            writer.transport.abort()
        finally:
            self._tasks.discard(task)
            self._open.discard(writer)
            writer.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while chunk := await reader.read(65536):
            writer.write(chunk)
            await writer.drain()
    except OSError:
        pass
    finally:
        writer.close()
