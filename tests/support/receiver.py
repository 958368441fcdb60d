"""An upload server of the tests' own: it takes and answers as it is told, and keeps what it got.

What it does when it is not told otherwise is what the real one does: ``component/uploadproxy/test_passage.py``.
"""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from support.certificates import Authority, Pair

_PIECE = 256 << 10
_LINGER_S = 10.0


@dataclass
class Taken:
    """One request. ``whole``: its body came to its end. ``connection``: a number, the same for requests of one."""

    method: str
    path: str
    headers: dict[str, str]
    connection: int
    client: str = ""
    length: int = 0
    digest: str = ""
    whole: bool = False


@dataclass
class Conduct:
    """What it does with a request that has a body. ``refuse_at``: answers ``status`` when it has so many bytes, and
    throws away the rest. ``vanish_at``: resets the connection there. ``hold``: reads no more until it is set."""

    status: int = 200
    text: str = ""
    head_status: int = 200
    refuse_at: int | None = None
    vanish_at: int | None = None
    hold: threading.Event | None = None
    answer_when: threading.Event | None = None


class Receiver:
    """``host_names``: what its certificate is for, as in openssl.cnf. Serves from ``__enter__`` to ``__exit__``."""

    def __init__(self, servers: Authority, clients: Authority, host_names: str) -> None:
        self.conduct = Conduct()
        self.taken: list[Taken] = []
        self.stopped = threading.Event()
        self._arrived = threading.Condition()
        self.use(servers.issue("upload server", host_names), clients)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._connections: list[socket.socket] = []

    def use(self, pair: Pair, clients: Authority) -> None:
        context = pair.server_context()
        context.load_verify_locations(clients.cert)
        context.verify_mode = ssl.CERT_REQUIRED
        self._context = context

    def __enter__(self) -> Self:
        threading.Thread(target=self._serve, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopped.set()
        self._listener.close()
        for connection in self._connections:
            connection.close()

    def wait_for(self, what: Callable[[], bool], timeout_s: float = 60.0) -> None:
        with self._arrived:
            assert self._arrived.wait_for(what, timeout_s), self.taken

    def _serve(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                number += 1
                threading.Thread(target=self._attend, args=(raw, number), daemon=True).start()

    def _attend(self, raw: socket.socket, number: int) -> None:
        with contextlib.suppress(OSError, EOFError), self._context.wrap_socket(raw, server_side=True) as connection:
            self._connections.append(connection)
            while self._one(connection, number):
                pass

    def _one(self, connection: ssl.SSLSocket, number: int) -> bool:
        """Whether another request may come."""
        head, rest = _head(connection)
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
        request = Taken(method, path, headers, number, _name(connection))
        with self._arrived:
            self.taken.append(request)
            self._arrived.notify_all()
        if method == "HEAD":
            return _answer(connection, self.conduct.head_status, "")
        return self._take(connection, request, rest)

    def _take(self, connection: ssl.SSLSocket, request: Taken, rest: bytes) -> bool:
        conduct, source = self.conduct, _Source(connection, request.headers, rest)
        digest = hashlib.sha256()
        while True:
            if conduct.refuse_at is not None and request.length >= conduct.refuse_at:
                _answer(connection, conduct.status, conduct.text)
                return _linger(connection)
            if conduct.vanish_at is not None and request.length >= conduct.vanish_at:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                connection.close()
                return False
            if conduct.hold is not None:
                conduct.hold.wait(60)
            piece = source.read()
            if not piece:
                break
            digest.update(piece)
            request.length += len(piece)
            with self._arrived:
                self._arrived.notify_all()
        with self._arrived:
            request.digest, request.whole = digest.hexdigest(), source.whole
            self._arrived.notify_all()
        if conduct.answer_when is not None:
            conduct.answer_when.wait(60)
        return source.whole and _answer(connection, conduct.status, conduct.text)


@dataclass
class _Source:
    """A body by its length, or in chunks."""

    connection: ssl.SSLSocket
    headers: dict[str, str]
    buffered: bytes
    whole: bool = False
    _left: int = field(init=False)
    _chunked: bool = field(init=False)

    def __post_init__(self) -> None:
        self._chunked = "chunked" in self.headers.get("transfer-encoding", "")
        self._left = 0 if self._chunked else int(self.headers.get("content-length", "0"))

    def read(self) -> bytes:
        """Empty at its end, whole or not."""
        try:
            if self._chunked and not self._left:
                self._left = int(self._line(), 16)
                if not self._left:
                    self._line()
                    self.whole = True
                    return b""
            if not self._left:
                self.whole = True
                return b""
            piece = self._some()
        except (EOFError, OSError):
            return b""
        self._left -= len(piece)
        if self._chunked and not self._left:
            self._line()
        return piece

    def _some(self) -> bytes:
        if not self.buffered:
            self.buffered = _received(self.connection)
        piece, self.buffered = self.buffered[: self._left], self.buffered[self._left :]
        return piece

    def _line(self) -> bytes:
        while b"\r\n" not in self.buffered:
            self.buffered += _received(self.connection)
        line, self.buffered = self.buffered.split(b"\r\n", 1)
        return line


def _head(connection: ssl.SSLSocket) -> tuple[list[str], bytes]:
    got = b""
    while b"\r\n\r\n" not in got:
        got += _received(connection)
    head, rest = got.split(b"\r\n\r\n", 1)
    return head.decode("latin-1").split("\r\n"), rest


def _received(connection: ssl.SSLSocket) -> bytes:
    got = connection.recv(_PIECE)
    if not got:
        raise EOFError
    return got


def _answer(connection: ssl.SSLSocket, status: int, text: str) -> bool:
    head = (
        f"HTTP/1.1 {status} Said\r\nContent-Length: {len(text)}\r\nX-Server: receiver\r\nConnection: keep-alive\r\n\r\n"
    )
    connection.sendall((head + text).encode())
    return True


def _linger(connection: ssl.SSLSocket) -> bool:
    """As the real one: what still comes is read and thrown away for a while."""
    until = time.monotonic() + _LINGER_S
    connection.settimeout(_LINGER_S)
    with contextlib.suppress(OSError):
        while time.monotonic() < until and connection.recv(_PIECE):
            pass
    return False


def _name(connection: ssl.SSLSocket) -> str:
    shown = connection.getpeercert() or {}
    subject = shown.get("subject", ())
    return next((str(value) for part in subject for key, value in part if key == "commonName"), "")  # type: ignore[misc,union-attr]
