"""Bytes of a stream that came before anybody knew whether and where the disk needs them."""

from __future__ import annotations

from array import array
from bisect import bisect_right
from collections.abc import Iterator
from typing import Protocol

from cdi.base.units import KiB

_PIECE = 64 * KiB


class Park(Protocol):
    """A place for bytes by their offset in the file, given by the caller: memory first, then a temporary file."""

    def put(self, host: int, data: memoryview) -> None:
        """Keep a copy of ``data``. Offsets only grow."""
        ...

    def get(self, host: int, length: int) -> bytes:
        """Exactly ``length`` bytes, all of which were put."""
        ...


class Parked:
    """Remembers what was parked, so that nothing is ever taken for parked that was not. Zeros take no room."""

    def __init__(self, park: Park) -> None:
        self.parked = 0  # bytes given to the park
        self._park = park
        self._kept = _Ranges()
        self._zeros = _Ranges()

    def keep(self, host: int, data: memoryview) -> None:
        for start in range(0, len(data), _PIECE):
            piece = data[start : start + _PIECE]
            if bytes(piece) == bytes(len(piece)):
                self._zeros.add(host + start, host + start + len(piece))
                continue
            self._park.put(host + start, piece)
            self._kept.add(host + start, host + start + len(piece))
            self.parked += len(piece)

    def recall(self, host: int, length: int, needed: int | None = None) -> bytes | None:
        """``length`` bytes of the file from ``host``; None when of the first ``needed`` (all) not every one was kept.

        Bytes behind those that were not kept read as zeros.
        """
        data = bytearray(length)
        strict = host + (length if needed is None else needed)
        known = sum(min(end, strict) - start for start, end in self._zeros.within(host, strict))
        for start, end in self._kept.within(host, host + length):
            data[start - host : end - host] = self._park.get(start, end - start)
            known += max(0, min(end, strict) - start)
        return bytes(data) if known == strict - host else None


class _Ranges:
    """Disjoint ranges, added in growing order; neighbours are joined."""

    def __init__(self) -> None:
        self._starts: array[int] = array("Q")
        self._ends: array[int] = array("Q")

    def add(self, start: int, end: int) -> None:
        if self._ends and self._ends[-1] == start:
            self._ends[-1] = end
            return
        self._starts.append(start)
        self._ends.append(end)

    def within(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of the ranges inside [start, end)."""
        index = max(0, bisect_right(self._starts, start) - 1)
        while index < len(self._starts) and self._starts[index] < end:
            low, high = max(start, self._starts[index]), min(end, self._ends[index])
            if low < high:
                yield low, high
            index += 1
