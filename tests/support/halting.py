"""A TCP relay on loopback that halts a connection after so many bytes of its client, and that can be cut.

with Halting(server_port) as relay:
    relay.halt_after(1_000_000)
    ...
    relay.wait_until_halted()
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from types import TracebackType
from typing import Self

_PIECE = 64 * 1024
_WAIT_S = 120
_RESET = struct.pack("ii", 1, 0)  # of SO_LINGER: the peer sees a broken connection, not an end


class Halting:
    """Runs from construction to ``close``. ``count``: bytes that it took from clients."""

    def __init__(self, port: int) -> None:
        self.count = 0
        self._server_port = port
        self._lock = threading.Lock()
        self._limit: int | None = None  # guarded by _lock, as count and what follows
        self._is_cut = False
        self._sockets: set[socket.socket] = set()
        self._halted, self._released = threading.Event(), threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._threads = [threading.Thread(target=self._accept, name="halting", daemon=True)]
        self._threads[0].start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def halt_after(self, count: int) -> None:
        """The connection that brings the next ``count`` bytes to their end is not read any further."""
        self._halted.clear()
        self._released.clear()
        with self._lock:
            self._limit = self.count + count

    def wait_until_halted(self) -> None:
        assert self._halted.wait(_WAIT_S), f"only {self.count} bytes came"

    def cut(self) -> None:
        """All connections are reset, and new ones too, until ``restore``."""
        with self._lock:
            self._is_cut = True
            for sock in self._sockets:
                with contextlib.suppress(OSError):
                    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    sock.shutdown(socket.SHUT_RDWR)
        self._released.set()

    def restore(self) -> None:
        with self._lock:
            self._is_cut = False

    def close(self) -> None:
        self.cut()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(_WAIT_S)
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                if self._is_cut:
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                    client.close()
                    continue
                server = socket.create_connection(("127.0.0.1", self._server_port))
                self._sockets |= {client, server}
            thread = threading.Thread(target=self._both_ways, args=(client, server), name="halting", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _both_ways(self, client: socket.socket, server: socket.socket) -> None:
        back = threading.Thread(target=self._pass_on, args=(server, client), name="halting", daemon=True)
        back.start()
        self._pass_on(client, server, counted=True)
        back.join()
        with self._lock:
            self._sockets -= {client, server}
            client.close()
            server.close()

    def _pass_on(self, source: socket.socket, sink: socket.socket, *, counted: bool = False) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(_PIECE):
                sink.sendall(data)
                if counted and self._is_at_limit(len(data)):
                    self._halted.set()
                    self._released.wait(_WAIT_S)
        # Whichever side ended: neither has anything to say to the other any more.
        for sock in (source, sink):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def _is_at_limit(self, length: int) -> bool:
        with self._lock:
            self.count += length
            if self._limit is None or self.count < self._limit:
                return False
            self._limit = None
            return True
