"""A raw disk: the file is the disk."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from cdi.base.faults import Fault
from cdi.base.units import KiB, round_down, round_up
from importer.formats import Extent, ReadAt
from importer.formats.runs import merged

_PAGE = 4 * KiB


class Raw:
    """``data``: (start, end) of what may be anything but zeros, in order and apart; None: all of it."""

    format = "raw"
    cluster_size = 512

    def __init__(
        self, _read_at: ReadAt, size: int, data: Callable[[], Iterable[tuple[int, int]]] | None = None
    ) -> None:
        self.virtual_size = size
        self._data = data or (lambda: ((0, size),))

    def extents(self) -> Iterator[Extent]:
        return merged(Extent(start, end - start, start, end - start) for start, end in self._pages())

    def _pages(self) -> Iterator[tuple[int, int]]:
        """Whole pages, since writes are; where two parts of the data share one it is given with the first."""
        done = position = 0
        for start, end in self._data():
            if not position <= start <= end <= self.virtual_size:
                detail = f"data is said to be at {start} to {end} of {self.virtual_size} bytes, behind {position}"
                raise Fault("ImageInvalid", format=self.format, detail=detail)
            position = end
            first, last = max(done, round_down(start, _PAGE)), min(round_up(end, _PAGE), self.virtual_size)
            if start < end and first < last:
                yield first, last
                done = last
