"""What is read of a file besides its data: headers and tables."""

from __future__ import annotations

import threading

from cdi.base.units import KiB
from importer.formats import ReadAt

_CELL = 4 * KiB  # bytes of the file; no table that is worth a thought is smaller
_CELLS_MOST = 1 << 20  # of a byte each: 1 MiB of memory, whatever the file


class Tables:
    """A ``ReadAt`` that gives the ``head`` of the file from memory and remembers where else it has read. Safe from
    several threads.

    Remembered in cells of 4 KiB, of larger ones for files above 4 GiB: what shares one with a table counts as read.
    """

    def __init__(self, read_at: ReadAt, head: bytes, size: int) -> None:
        self._read_at = read_at
        self._head = head
        self._cell = max(_CELL, -(-size // _CELLS_MOST))
        self._cells = bytearray(-(-size // self._cell))
        self._lock = threading.Lock()

    def __call__(self, offset: int, length: int) -> bytes:
        end = offset + length
        held = self._head[offset:end]
        offset += len(held)
        if offset == end:
            return held
        first, stop = self._span(offset, end)
        with self._lock:
            self._cells[first:stop] = b"\1" * (stop - first)
        return held + self._read_at(offset, end - offset)

    def overlaps(self, start: int, end: int) -> bool:
        """Whether some of [start, end) may have been read here."""
        with self._lock:
            return self._cells.find(1, *self._span(start, end)) >= 0

    def _span(self, start: int, end: int) -> tuple[int, int]:
        """The cells of [start, end), as far as the file has them."""
        first = min(start // self._cell, len(self._cells))
        return first, max(first, min(-(-end // self._cell), len(self._cells)))
