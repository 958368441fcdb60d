"""Mapped parts of a qcow2 file that have not arrived yet, in file order and in little memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from heapq import heappop, heappush

from cdi.base.faults import Fault
from importer.formats import Extent, Kind


class Pending:
    """A merge of many sorted lists. An extent takes 32 bytes until it is taken: an image as qemu-img writes it needs
    one extent per run, a fully fragmented one per cluster (16 MiB for 32 GiB with 64 KiB clusters).

    More than ``MOST`` are refused (ImageTableTooBig): tables alone, which pack very well, could else take all memory.
    """

    MOST = 4 << 20  # 128 MiB

    def __init__(self, packed: Kind) -> None:
        self._packed = packed
        self._heap: list[tuple[int, int]] = []  # (host of the first extent, list)
        self._lists: dict[int, _Packed] = {}
        self._next = 0
        self._count = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, extents: list[Extent]) -> None:
        """Take a list over; it is sorted in place."""
        if not extents:
            return
        self._count += len(extents)
        if self._count > self.MOST:
            detail = f"more than {self.MOST:,} scattered parts that are still to come in the stream"
            raise Fault("ImageTableTooBig", format="qcow2", table="the map", detail=detail)
        extents.sort(key=_host, reverse=True)
        self._lists[self._next] = _Packed(extents)
        heappush(self._heap, (extents[-1].host, self._next))
        self._next += 1

    def take(self, before: int) -> Iterator[Extent]:
        """Remove and give the extents that start before ``before``, in file order. Nothing may be added meanwhile."""
        while self._heap and self._heap[0][0] < before:
            _, number = heappop(self._heap)
            source = self._lists[number]
            while source.first_host() < before and not self._another_is_first(source.first_host()):
                self._count -= 1
                yield source.pop(self._packed)
                if not source:
                    del self._lists[number]
                    break
            else:
                heappush(self._heap, (source.first_host(), number))

    def _another_is_first(self, host: int) -> bool:
        return bool(self._heap) and self._heap[0][0] < host


def _host(extent: Extent) -> int:
    return extent.host


class _Packed:
    """Extents as columns, the first one last. A negative length marks a compressed one."""

    def __init__(self, extents: list[Extent]) -> None:
        self._hosts = array("Q", (extent.host for extent in extents))
        self._guests = array("Q", (extent.guest for extent in extents))
        self._host_lengths = array("Q", (extent.host_length for extent in extents))
        self._lengths = array(
            "q", (extent.length if extent.kind is Kind.DATA else -extent.length for extent in extents)
        )

    def __bool__(self) -> bool:
        return bool(self._hosts)

    def first_host(self) -> int:
        return self._hosts[-1]

    def pop(self, packed: Kind) -> Extent:
        length = self._lengths.pop()
        kind = Kind.DATA if length > 0 else packed
        return Extent(self._guests.pop(), abs(length), self._hosts.pop(), self._host_lengths.pop(), kind)
