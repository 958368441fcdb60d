"""Catching the tables of a qcow2 file while it streams past."""

from __future__ import annotations

from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(slots=True)
class Arrival:
    """A table of ``length`` bytes at ``offset``; ``index``: which L2 table, negative for L1 and refcount table."""

    offset: int
    length: int
    index: int
    data: bytearray = field(default_factory=bytearray)

    @property
    def end(self) -> int:
        return self.offset + self.length


class Arrivals:
    """Tables that are awaited. Memory: those that are just arriving."""

    def __init__(self) -> None:
        self._awaited: list[tuple[int, int, int]] = []  # heap of (offset, index, length)
        self._arriving: list[Arrival] = []

    def expect(self, offset: int, length: int, index: int) -> None:
        heappush(self._awaited, (offset, index, length))

    def next_stop(self, position: int) -> int | None:
        """The next offset at which a table starts or ends: bytes are passed on in parts that stop there."""
        stops = [arrival.end for arrival in self._arriving]
        while self._awaited and self._awaited[0][0] <= position:
            offset, index, length = heappop(self._awaited)
            self._arriving.append(Arrival(offset, length, index))
            stops.append(offset + length)
        if self._awaited:
            stops.append(self._awaited[0][0])
        return min(stops, default=None)

    def collect(self, data: memoryview, end: int) -> list[Arrival]:
        """Copy ``data``, which ends at ``end``, to the arriving tables; those that are complete, in file order."""
        for arrival in self._arriving:
            arrival.data += data
        done = [arrival for arrival in self._arriving if arrival.end <= end]
        self._arriving = [arrival for arrival in self._arriving if arrival.end > end]
        return done

    def missing(self) -> int | None:
        """The end of a table that did not arrive, if any."""
        ends = [arrival.end for arrival in self._arriving if arrival.index != REFCOUNTS]
        ends += [offset + length for offset, index, length in self._awaited if index != REFCOUNTS]
        return min(ends, default=None)


L1, REFCOUNTS = -2, -1
