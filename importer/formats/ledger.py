"""Keeping account of what an image maps, for the formats with one table of equal blocks."""

from __future__ import annotations

from cdi.base.faults import Fault
from importer.formats import Extent
from importer.formats.window import Window


class Ledger:
    """Makes the extents of plain blocks: clipped to the disk, inside the file, and never more disk than file."""

    def __init__(self, file: Window, virtual_size: int) -> None:
        self._file = file
        self._virtual_size = virtual_size
        self._mapped = 0

    def block(self, guest: int, length: int, host: int) -> Extent:
        length = min(length, self._virtual_size - guest)
        self._file.check_data(host, length)
        self._mapped += length
        self.check(self._mapped)
        return Extent(guest, length, host, length)

    def check(self, mapped: int) -> None:
        if mapped > self._file.size:
            raise Fault("ImageClusterShared", format=self._file.format, mapped=mapped, size=self._file.size)
