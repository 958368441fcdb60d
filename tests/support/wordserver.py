"""A server on loopback that answers word by word what a test says, bytes as they are.

def answer(asked: Asked) -> bytes: ...
with WordServer(answer) as server:
    url = server.url("/disk")
"""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self


@dataclass(frozen=True)
class Asked:
    """One request: its number, that of its connection (both from 0), target, and headers with names in lower case."""

    number: int
    connection: int
    target: str
    headers: Mapping[str, str]

    def span(self, size: int) -> tuple[int, int] | None:
        """[start, end) of the Range that is asked for; None without one."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("range", ""))
        return (int(match[1]), min(size, int(match[2] or size) + 1)) if match else None


@dataclass(frozen=True)
class File:
    """How a file is served; ``most``: bytes of one range at most."""

    data: bytes
    etag: str = '"v1"'
    fields: tuple[str, ...] = ()
    most: int = 1 << 40
    ranges: bool = True

    def answer(self, asked: Asked) -> bytes:
        span = asked.span(len(self.data)) if self.ranges else None
        fields = [*self.fields, *([f"ETag: {self.etag}"] if self.etag else [])]
        if span is None or asked.headers.get("if-range", self.etag) != self.etag:
            return said("200 OK", self.data, *fields)
        start, end = span[0], min(span[1], span[0] + self.most)
        place = f"Content-Range: bytes {start}-{end - 1}/{len(self.data)}"
        return said("206 Partial Content", self.data[start:end], *fields, place)


def said(status: str, body: bytes = b"", *fields: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", *fields, f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode("latin-1") + body


@dataclass
class WordServer:
    answer: Callable[[Asked], bytes]
    asked: list[Asked] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._listener.close()
        with self._lock:
            for peer in self._open:
                with contextlib.suppress(OSError):
                    peer.shutdown(socket.SHUT_RDWR)

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    @property
    def connections(self) -> int:
        return len({asked.connection for asked in self.asked})

    def _accept(self) -> None:
        number = 0
        with contextlib.suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                with self._lock:
                    self._open.add(peer)
                threading.Thread(target=self._serve, args=(peer, number), daemon=True).start()
                number += 1

    def _serve(self, peer: socket.socket, connection: int) -> None:
        with peer, contextlib.suppress(OSError):
            reader = peer.makefile("rb")
            while line := reader.readline():
                fields = {}
                while (field_line := reader.readline().strip()) and b":" in field_line:
                    name, _, value = field_line.decode("latin-1").partition(":")
                    fields[name.lower()] = value.strip()
                with self._lock:
                    asked = Asked(len(self.asked), connection, line.split()[1].decode(), fields)
                    self.asked.append(asked)
                peer.sendall(self.answer(asked))
