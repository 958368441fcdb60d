"""The open sockets of one source, so that another thread can break every wait at once."""

from __future__ import annotations

import contextlib
import socket
import threading

from cdi.base.faults import Fault


class LiveSockets:
    """Safe from several threads and from a signal handler: the lock is reentrant, because a handler interrupts the
    main thread anywhere, also while it holds the lock."""

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._sockets: set[socket.socket] = set()
        self.interrupted = False

    def add(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.add(sock)
        if self.interrupted:
            _shut(sock)

    def replace(self, old: socket.socket, new: socket.socket) -> None:
        """TLS moves a connection into a new socket object."""
        self.discard(old)
        self.add(new)

    def discard(self, sock: socket.socket) -> None:
        with self._lock:
            self._sockets.discard(sock)

    def interrupt(self) -> None:
        self.interrupted = True
        self.shut_all()

    def shut_all(self) -> None:
        with self._lock:
            sockets = list(self._sockets)
        for sock in sockets:
            _shut(sock)

    def check(self, got: int) -> None:
        if self.interrupted:
            raise Fault("Cancelled", got=got)


def _shut(sock: socket.socket) -> None:
    # SSLSocket.shutdown() would first throw away the TLS state that a reading thread is using.
    with contextlib.suppress(OSError):
        socket.socket.shutdown(sock, socket.SHUT_RDWR)
