"""A TCP relay on loopback that cuts its connections, and counts what clients send through it.

with CuttingRelay(proxy.port, [10 << 20, 20 << 20]) as relay: ...
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType
from typing import Self

_PIECE = 64 * 1024


class CuttingRelay:
    """Passes connections on to ``port``. ``cuts``: counts of bytes from clients after which all connections are reset.
    ``came``: bytes from clients."""

    def __init__(self, port: int, cuts: list[int]) -> None:
        self.came = 0
        self._cuts = list(cuts)
        self._server = port
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._reset()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                server = socket.create_connection(("127.0.0.1", self._server))
                with self._lock:
                    self._sockets += [client, server]
                threading.Thread(target=self._pump, args=(client, server, True), daemon=True).start()
                threading.Thread(target=self._pump, args=(server, client, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, counted: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                if counted and self._is_due(len(data)):
                    self._reset()
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def _is_due(self, count: int) -> bool:
        with self._lock:
            self.came += count
            if self._cuts and self.came >= self._cuts[0]:
                self._cuts.pop(0)
                return True
            return False

    def _reset(self) -> None:
        with self._lock:
            found, self._sockets = self._sockets, []
        for each in found:
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
                each.shutdown(socket.SHUT_RDWR)
            each.close()
