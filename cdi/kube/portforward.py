"""A connection to a port of a pod, through the API server and the pod's kubelet.

A message of the web socket is one byte, the channel, and what is sent. Of the one port that is asked for, channel 0 has
its bytes and channel 1 what the kubelet complains of; the first message of each holds the port's number.
"""

from __future__ import annotations

import asyncio
import socket
from dataclasses import dataclass

import aiohttp

from cdi.base.printable import excerpt

PROTOCOL = "v4.channel.k8s.io"
PIECE = 256 << 10  # bytes of a message; a kubelet takes 32 MiB at most
_DATA, _COMPLAINT = 0, 1
_PORT_BYTES = 2
_LONGEST_COMPLAINT = 4096  # bytes


@dataclass(frozen=True, slots=True)
class PortForward:
    """``way``: an open web socket of that protocol; whoever opened it closes it."""

    way: aiohttp.ClientWebSocketResponse

    async def pump(self, near: socket.socket) -> str:
        """Carries bytes between ``near``, which does not block, and the port, until one of both has ended. What the
        kubelet complained of, empty where it did not. Raises OSError."""
        complaint = bytearray()
        sends = asyncio.create_task(self._send(near))
        receives = asyncio.create_task(self._receive(near, complaint))
        try:
            done, _ = await asyncio.wait({sends, receives}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (sends, receives):
                task.cancel()
            await asyncio.wait({sends, receives})
        return excerpt(complaint.decode(errors="replace"), 500)

    async def _send(self, near: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        message = bytearray(1 + PIECE)
        message[0] = _DATA
        view = memoryview(message)
        while count := await loop.sock_recv_into(near, view[1:]):
            await self.way.send_bytes(bytes(view[: 1 + count]))

    async def _receive(self, near: socket.socket, complaint: bytearray) -> None:
        loop = asyncio.get_running_loop()
        heads = {_DATA: _PORT_BYTES, _COMPLAINT: _PORT_BYTES}  # bytes still to come of the port's number
        async for message in self.way:
            if message.type is not aiohttp.WSMsgType.BINARY or not message.data:
                continue
            channel = message.data[0]
            head = heads.get(channel, 0)
            said = memoryview(message.data)[1 + head :]
            heads[channel] = max(0, head - (len(message.data) - 1))
            if channel == _DATA and said:
                await loop.sock_sendall(near, said)
            elif channel == _COMPLAINT:
                complaint += said[: _LONGEST_COMPLAINT - len(complaint)]
