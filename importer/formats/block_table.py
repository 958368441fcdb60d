"""Reading a long table of equal little entries in pieces, so that memory stays flat whatever its header claims."""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.formats.window import Window

_PIECE = MiB
_MOST = (1 << 29) - 1  # entries, as in qemu: half a minute of work, whatever a server says how long its file is


@dataclass(frozen=True, slots=True)
class BlockTable:
    """``count`` unsigned entries of 4 or 8 bytes at ``offset``, which must not be below ``floor``."""

    file: Window
    name: str
    offset: int
    count: int
    width: Literal[4, 8]
    order: Literal["big", "little"]
    floor: int

    def check(self) -> None:
        if self.count > _MOST:
            detail = f"{self.count} entries, at most {_MOST} are read"
            raise Fault("ImageTableTooBig", format=self.file.format, table=self.name, detail=detail)
        self.file.check_table(self.name, self.offset, self.count * self.width, self.floor)

    def pieces(self) -> Iterator[tuple[int, array[int]]]:
        """(index of the first entry, entries) in order."""
        per_piece = _PIECE // self.width
        for first in range(0, self.count, per_piece):
            count = min(per_piece, self.count - first)
            at = self.offset + first * self.width
            entries = array("I" if self.width == 4 else "Q")
            entries.frombytes(self.file.table(self.name, at, count * self.width, self.floor))
            if self.order != sys.byteorder:
                entries.byteswap()
            yield first, entries
