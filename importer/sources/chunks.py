"""Transfer-Encoding: chunked, undone within bounds (RFC 9112, 7.1)."""

from __future__ import annotations

import re
import time

from importer.sources.incoming import BadAnswer, Ended, Incoming

_SIZE_LINE = re.compile(rb"([0-9A-Fa-f]{1,16})[ \t]*(?:;.*)?", re.DOTALL)
_LINE_LIMIT = 4096  # bytes of a chunk's first line with its extensions; with the next one as in Go (net/http/internal)
_OVERHEAD_LIMIT = 16 * 1024  # bytes that are no content, beyond what chunks of some size need
_TRAILER_LIMIT = 64 * 1024


class Chunks:
    """``ended``: the last chunk and the trailer were read."""

    def __init__(self, incoming: Incoming, patience_s: float) -> None:
        self._incoming = incoming
        self._patience_s = patience_s
        self._left = 0  # bytes of the current chunk
        self._overhead = 0
        self._first = True
        self.ended = False

    def readinto(self, view: memoryview) -> int:
        """Fill the front of ``view``; 0 only at the end. Raises BadAnswer, Ended, OSError."""
        if not self._left and not self.ended:
            self._begin()
        if self.ended or not len(view):
            return 0
        count = self._incoming.fill(view[: self._left])
        if count == 0:
            raise Ended("the chunked answer broke off")
        self._left -= count
        return count

    def _line(self) -> bytes:
        try:
            return self._incoming.line(_LINE_LIMIT, time.monotonic() + self._patience_s)
        except Ended as error:
            raise Ended("the chunked answer broke off") from error

    def _begin(self) -> None:
        if not self._first and self._line():
            raise BadAnswer("a chunk of it is longer than it said")
        self._first = False
        line = self._line()
        match = _SIZE_LINE.fullmatch(line)
        if match is None:
            raise BadAnswer("a chunk of it has no size")
        self._left = int(match[1], 16)
        self._overhead = max(0, self._overhead + len(line) + 4 - 16 - 2 * self._left)
        if self._overhead > _OVERHEAD_LIMIT:
            raise BadAnswer("its chunks hold next to nothing")
        if not self._left:
            self._end()

    def _end(self) -> None:
        until_s = time.monotonic() + self._patience_s
        left = _TRAILER_LIMIT
        while line := self._line():
            left -= len(line) + 2
            if left < 0:
                raise BadAnswer(f"its trailer is longer than {_TRAILER_LIMIT:,} bytes")
            if time.monotonic() >= until_s:
                raise TimeoutError("timed out")
        self.ended = True
