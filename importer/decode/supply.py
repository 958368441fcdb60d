"""The compressed side of a decoder: one preallocated buffer, refilled from ``read`` when it is empty."""

from __future__ import annotations

from cdi.base.units import KiB
from importer.decode import ReadInto

CHUNK = 256 * KiB


class Supply:
    """Compressed bytes in order. ``used`` counts those that a decoder has taken; one thread."""

    def __init__(self, read: ReadInto) -> None:
        self._read = read
        self._buffer = memoryview(bytearray(CHUNK))
        self._start = 0
        self._end = 0
        self._ended = False
        self.used = 0

    def chunk(self) -> memoryview:
        """What is there and not yet used, at least one byte; empty only at the end. Valid until the next call."""
        if self._start == self._end:
            self._start = self._end = 0
            self._refill()
        return self._buffer[self._start : self._end]

    def peek(self, count: int) -> bytes:
        """The next ``count`` bytes without using them; fewer only at the end. ``count`` is small (a header)."""
        if self._end - self._start < count:
            rest = bytes(self._buffer[self._start : self._end])
            self._buffer[: len(rest)] = rest
            self._start, self._end = 0, len(rest)
            while self._end < count and self._refill():
                pass
        return bytes(self._buffer[self._start : min(self._end, self._start + count)])

    def use(self, count: int) -> None:
        """``count`` bytes of the last chunk are done with; a negative count gives back what was used too much."""
        self._start += count
        self.used += count

    def skip_zeros(self) -> int:
        """Use all zero bytes that come next; how many there were."""
        before = self.used
        while view := self.chunk():
            zeros = len(view) - len(bytes(view).lstrip(b"\0"))
            self.use(zeros)
            if zeros < len(view):
                break
        return self.used - before

    def _refill(self) -> bool:
        if not self._ended:
            count = self._read(self._buffer[self._end :])
            self._end += count
            self._ended = count == 0
        return not self._ended
