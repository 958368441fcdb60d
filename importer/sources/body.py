"""Bodies of answers, counted byte by byte: an answer that ends early or late is a fault, never a short file."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.base.units import KiB
from importer.sources import Body
from importer.sources.incoming import BadAnswer
from importer.sources.patient import PATIENCE_S
from importer.sources.pool import Answer

_CHUNKED_PIECE = 64 * KiB


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of the file an answer holds: [offset, end); end None when the answer does not say."""

    source: str
    offset: int
    end: int | None
    whole: bool  # the answer to a plain GET: bytes after its end are a fault of the server


class AnswerBody:
    """Reads straight from the socket: one copy, and an exact count of what arrived before a connection broke."""

    def __init__(self, answer: Answer, span: Span) -> None:
        self._answer = answer
        self._span = span
        self._position = span.offset
        self._incoming = answer.connection.incoming
        self._chunks = answer.chunks()
        self._failure: Fault | None = None
        self._complete = span.end == span.offset
        self._clean = True  # no byte beyond the end was seen
        self._closed = False
        self._receive = self._choose_receive()

    def _choose_receive(self) -> Callable[[memoryview], int]:
        if self._answer.head.chunked:
            return self._receive_chunked
        return self._receive_until_close if self._span.end is None else self._receive_counted

    def readinto(self, buffer: memoryview) -> int:
        if self._failure is not None:
            raise self._failure
        filled = 0
        give_up_s = time.monotonic() + PATIENCE_S
        try:
            while filled < len(buffer) and not self._complete:
                count = self._guarded(buffer[filled:])
                filled += count
                self._position += count
                if time.monotonic() > give_up_s:
                    break
        except Fault as fault:
            if not filled:
                raise
            self._failure = fault  # these bytes are good; the next call tells
        if not filled and self._complete:
            self._check_nothing_follows()
        return filled

    def close(self) -> None:
        if self._closed:
            return
        self._closed = True
        if self._complete and self._clean and not self._incoming.has_ahead and self._failure is None:
            self._answer.release()
        else:
            self._answer.drop()

    def _guarded(self, view: memoryview) -> int:
        try:
            return self._receive(view)
        except (OSError, ValueError, BadAnswer) as error:  # ValueError: the socket was closed by an interrupt
            raise self._answer.pool.fault(error, self._position) from error

    def _receive_counted(self, view: memoryview) -> int:
        end = self._span.end
        assert end is not None
        view = view[: end - self._position]
        count = self._incoming.fill(view)
        if count == 0:
            self._answer.pool.check(self._position)
            raise Fault("SourceTruncated", source=self._span.source, got=self._position, expected=end)
        self._complete = self._position + count == end
        return count

    def _receive_until_close(self, view: memoryview) -> int:
        count = self._incoming.fill(view)
        if count == 0:
            self._answer.pool.check(self._position)
            self._complete = True
        return count

    def _receive_chunked(self, view: memoryview) -> int:
        end = self._span.end
        view = view[:_CHUNKED_PIECE] if end is None else view[: min(_CHUNKED_PIECE, end - self._position)]
        count = self._chunks.readinto(view)
        reached = self._position + count
        if end is not None and reached == end:
            # The last chunk, which is empty, has to be read as well.
            self._clean = self._chunks.readinto(memoryview(bytearray(1))) == 0
            self._complete = True
        elif count == 0:
            if end is not None:
                raise Fault("SourceTruncated", source=self._span.source, got=reached, expected=end)
            self._complete = True
        return count

    def _check_nothing_follows(self) -> None:
        """Best effort: sees what has arrived by now. A later byte makes the pool throw the connection away."""
        if self._span.end is None or self._answer.head.chunked or not self._clean:
            return
        is_plain = not isinstance(self._answer.connection.raw, ssl.SSLSocket)
        if self._incoming.has_ahead or (is_plain and self._has_more()):
            self._clean = False
            if self._span.whole:
                raise Fault("SourceTooLong", source=self._span.source, expected=self._span.end)

    def _has_more(self) -> bool:
        with contextlib.suppress(OSError, ValueError):
            raw = self._answer.connection.raw
            poll = select.poll()
            poll.register(raw.fileno(), select.POLLIN)
            if poll.poll(0):
                return bool(raw.recv(1, socket.MSG_PEEK))
        return False


class EmptyBody:
    """No bytes, no request."""

    def readinto(self, buffer: memoryview) -> int:
        return 0

    def close(self) -> None:
        """Nothing to give back."""


class ReplayBody:
    """Bytes that were read already, then the rest of the same answer. The one reader owns both."""

    def __init__(self, head: bytes, rest: Body) -> None:
        self._head = memoryview(head)
        self._rest = rest

    def readinto(self, buffer: memoryview) -> int:
        if not self._head:
            return self._rest.readinto(buffer)
        count = min(len(buffer), len(self._head))
        buffer[:count] = self._head[:count]
        self._head = self._head[count:]
        return count

    def close(self) -> None:
        self._rest.close()
