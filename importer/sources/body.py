"""Bodies of answers, counted byte by byte: an answer that ends early or late is a fault, never a short file."""

from __future__ import annotations

import contextlib
import http.client
import select
import socket
import ssl
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.base.units import KiB
from importer.sources import Body
from importer.sources.patient import PATIENCE_S, PatientSocket
from importer.sources.pool import Answer

_CHUNKED_PIECE = 64 * KiB
_EARLY = 8 * KiB  # io.DEFAULT_BUFFER_SIZE: what http.client may have read beyond the headers


@dataclass(frozen=True, slots=True)
class Span:
    """Which bytes of the file an answer holds: [offset, end); end None when the answer does not say."""

    source: str
    offset: int
    end: int | None
    whole: bool  # the answer to a plain GET: bytes after its end are a fault of the server


class AnswerBody:
    """Reads straight from the socket: one copy, and an exact count of what arrived before a connection broke
    (http.client's readinto loses what it had when the connection breaks in the middle of a buffer)."""

    def __init__(self, answer: Answer, span: Span) -> None:
        self._answer = answer
        self._span = span
        self._position = span.offset
        self._early: bytes | None = None
        self._failure: Fault | None = None
        self._complete = span.end == span.offset
        self._clean = True  # no byte beyond the end was seen
        self._closed = False
        self._receive = self._choose_receive()

    def _choose_receive(self) -> Callable[[memoryview], int]:
        if self._answer.response.chunked:
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
        if self._complete and self._clean and not self._early and self._failure is None:
            self._answer.release()
        else:
            self._answer.drop()

    def _guarded(self, view: memoryview) -> int:
        try:
            return self._receive(view)
        except (OSError, ValueError, http.client.HTTPException) as error:
            # ValueError: http.client's file object was closed by an interrupt.
            raise self._answer.pool.fault(error, self._position) from error

    def _receive_counted(self, view: memoryview) -> int:
        end = self._span.end
        assert end is not None
        view = view[: end - self._position]
        count = self._receive_bytes(view)
        if count == 0:
            self._answer.pool.check(self._position)
            raise Fault("SourceTruncated", source=self._span.source, got=self._position, expected=end)
        self._complete = self._position + count == end
        return count

    def _receive_until_close(self, view: memoryview) -> int:
        count = self._receive_bytes(view)
        if count == 0:
            self._answer.pool.check(self._position)
            self._complete = True
        return count

    def _receive_chunked(self, view: memoryview) -> int:
        response, end = self._answer.response, self._span.end
        view = view[:_CHUNKED_PIECE] if end is None else view[: min(_CHUNKED_PIECE, end - self._position)]
        count = response.readinto(view)
        reached = self._position + count
        if end is not None and reached == end:
            self._clean = response.read(1) == b""  # the last chunk, which is empty, has to be read as well
            self._complete = True
        elif response.isclosed():
            if end is not None:
                raise Fault("SourceTruncated", source=self._span.source, got=reached, expected=end)
            self._complete = True
        return count

    def _receive_bytes(self, view: memoryview) -> int:
        """First what http.client read together with the headers, then the socket itself."""
        if self._early is None:
            self._early = self._answer.response.fp.read1(_EARLY)
            if not self._early:
                return 0
        if self._early:
            count = min(len(view), len(self._early))
            view[:count] = self._early[:count]
            self._early = self._early[count:]
            return count
        sock = self._answer.connection.sock
        return sock.fill(view) if isinstance(sock, PatientSocket) else sock.recv_into(view)

    def _check_nothing_follows(self) -> None:
        """Best effort: sees what has arrived by now. A later byte makes the pool throw the connection away."""
        if self._span.end is None or self._answer.response.chunked or not self._clean:
            return
        if self._early or (not isinstance(self._answer.connection.raw, ssl.SSLSocket) and self._has_more()):
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


class GzipBody:
    """Undoes ``Content-Encoding: gzip``, once. Members may follow each other (RFC 1952, 2.2)."""

    def __init__(self, source: str, inner: Body) -> None:
        self._source = source
        self._inner = inner
        self._decoder = zlib.decompressobj(wbits=31)
        self._input = bytearray(64 * KiB)
        self._pending = b""
        self._consumed = 0
        self._started = False  # inside a member

    def readinto(self, buffer: memoryview) -> int:
        while len(buffer):
            if not self._pending:
                self._pending = self._more_input()
                if not self._pending and self._started:
                    raise Fault("SourceTruncated", source=self._source, got=self._consumed, expected="all compressed")
                if not self._pending:
                    return 0
            data = self._decompress(len(buffer))
            if data:
                buffer[: len(data)] = data
                return len(data)
        return 0

    def close(self) -> None:
        self._inner.close()

    def _more_input(self) -> bytes:
        with memoryview(self._input) as view:
            count = self._inner.readinto(view)
            self._consumed += count
            return bytes(view[:count])

    def _decompress(self, limit: int) -> bytes:
        if self._decoder.eof:
            self._decoder = zlib.decompressobj(wbits=31)
        self._started = True
        try:
            data = self._decoder.decompress(self._pending, limit)
        except zlib.error as error:
            cause = "not a valid gzip stream"
            raise Fault(
                "CompressedDamaged", format="gzip (Content-Encoding)", got=self._consumed, cause=cause
            ) from error
        self._pending = self._decoder.unconsumed_tail
        if self._decoder.eof:
            self._started = False
            self._pending = self._decoder.unused_data
        return data
