"""What comes in over one connection: lines with a bound, then bytes; each is given once."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Protocol, runtime_checkable

_PIECE = 8 * 1024


class BadAnswer(Exception):
    """What came is no HTTP, or more of it than anybody needs. Its text says what, in our own words."""


class Ended(ConnectionError):
    """The peer closed where something had to follow."""


class Receiving(Protocol):
    """A socket, or what stands before one."""

    def recv_into(self, buffer: memoryview | bytearray, nbytes: int = 0, flags: int = 0) -> int: ...


@runtime_checkable
class Filling(Receiving, Protocol):
    """One that fills a buffer in one call."""

    def fill(self, buffer: memoryview) -> int: ...


class Incoming:
    """One reader at a time. Sockets' timeouts hold for each receive; ``until_s`` (time.monotonic()) for a whole line,
    so that one that comes byte by byte ends as well."""

    def __init__(self, sock: Receiving) -> None:
        self._sock = sock
        self._fill: Callable[[memoryview], int] = sock.fill if isinstance(sock, Filling) else sock.recv_into
        self._ahead = b""  # received together with a line; given up to _at
        self._at = 0

    @property
    def has_ahead(self) -> bool:
        return self._at < len(self._ahead)

    def line(self, limit: int, until_s: float) -> bytes:
        """The next line without its end (CR LF, or LF alone). Raises BadAnswer for a longer one, Ended, OSError."""
        found = b""
        while True:
            end = self._ahead.find(b"\n", self._at)
            stop = len(self._ahead) if end < 0 else end
            found += self._ahead[self._at : stop]
            self._at = stop + 1
            if len(found) > limit:
                raise BadAnswer(f"a line of it is longer than {limit:,} bytes")
            if end >= 0:
                return found.removesuffix(b"\r")
            self._receive(until_s, begun=bool(found))

    def fill(self, view: memoryview) -> int:
        """Fill the front of ``view``, as much as is cheap; 0 only when the peer has closed."""
        if self.has_ahead:
            part = self._ahead[self._at : self._at + len(view)]
            view[: len(part)] = part
            self._at += len(part)
            return len(part)
        return self._fill(view)

    def _receive(self, until_s: float, begun: bool) -> None:
        if time.monotonic() >= until_s:
            raise TimeoutError("timed out")
        buffer = bytearray(_PIECE)
        count = self._sock.recv_into(buffer)
        if count == 0:
            raise Ended("closed in the middle of an answer" if begun else "closed without an answer")
        self._ahead, self._at = bytes(buffer[:count]), 0
