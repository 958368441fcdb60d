"""A TCP relay on loopback that counts what a real server sends through it: bytes, not requests, and while they go.

with Relay(nginx.http_port) as relay:
    process = start(..., f"http://{relay.address}/plain/disk.img")
    relay.wait_for_bytes(1_000_000, process)
"""

from __future__ import annotations

import contextlib
import re
import socket
import subprocess
import threading
import time
from types import TracebackType
from typing import Self

from support.importing import last_words

_PIECE = 256 * 1024
# What may lie between the relay and a client that reads no more: counted as sent, lost when the client is killed.
_SEND_BUFFER = 64 * 1024
_RANGE = re.compile(rb"^range: bytes=(\d+)-(\d+)\r$", re.IGNORECASE | re.MULTILINE)


class Relay:
    """Passes connections on to ``port``; runs from construction to ``close``. ``count`` includes HTTP headers."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        self.count = 0
        self._server = (host, port)
        self._changed = threading.Condition()
        self._sockets: set[socket.socket] = set()
        self._asked: dict[socket.socket, int] = {}  # guarded by _changed: bytes of each connection's newest request
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server((host, 0))
        self.address = f"{host}:{self._listener.getsockname()[1]}"
        self._begin(self._accept)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def wait_for_bytes(self, count: int, process: subprocess.Popen[str], timeout_s: float = 120) -> None:
        """Block until so many bytes were passed on to clients in total; ``process`` takes them, or says why not."""
        deadline = time.monotonic() + timeout_s
        with self._changed:
            while not self._changed.wait_for(lambda: self.count >= count, 0.5):
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"only {self.count} of {count} bytes were sent: {last_words(process)}")

    def take_asked(self) -> int:
        """Bytes that the newest request of every connection since the last call asked for: whoever was killed may have
        lost so much, since what a server has sent fills the sockets, however much of it was read."""
        with self._changed:
            asked = sum(self._asked.values())
            self._asked.clear()
            return asked

    def close(self) -> None:
        for sock in (self._listener, *self._sockets):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            server = socket.create_connection(self._server)
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._sockets |= {client, server}
            self._begin(self._pass_on, client, server, False)
            self._begin(self._pass_on, server, client, True)

    def _begin(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, name="relay", daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        buffer = memoryview(bytearray(_PIECE))
        with contextlib.suppress(OSError):
            while length := source.recv_into(buffer):
                if not counted and (found := _RANGE.search(bytes(buffer[:length]))):
                    with self._changed:
                        self._asked[source] = int(found[2]) - int(found[1]) + 1
                sink.sendall(buffer[:length])
                if counted:
                    self._add(length)
        # Whichever side ended: neither has anything to say to the other any more.
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
        if counted:
            self._sockets -= {source, sink}
            source.close()
            sink.close()

    def _add(self, length: int) -> None:
        with self._changed:
            self.count += length
            self._changed.notify_all()
