"""VHD (Virtual PC) images. Spec: Virtual Hard Disk Image Format Specification 1.0.

Dynamic: a copy of the footer first, then a header and the block allocation table. Fixed: a raw disk with a footer of
one sector behind it, so that it looks raw until its end is seen. Sizes are the footer's current size: CHS geometry,
which some readers take instead, cannot express most sizes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.base.units import GiB, round_up
from importer.formats import Extent, Image, ReadAt
from importer.formats.block_table import BlockTable
from importer.formats.ledger import Ledger
from importer.formats.runs import merged
from importer.formats.window import Window, printable

SECTOR = 512
_COOKIE = b"conectix"
_FOOTER = struct.Struct(">8sIIQI4sI4sQQIII")
_DYNAMIC = struct.Struct(">8sQQIIII")
_DYNAMIC_SIZE = 1024
_FIXED, _DYNAMIC_TYPE, _DIFFERENCING = 2, 3, 4
_LARGEST = 2040 * GiB  # of the format
_NO_BLOCK = 0xFFFFFFFF


@dataclass(frozen=True, slots=True)
class Footer:
    kind: int
    header_offset: int
    virtual_size: int


def parse_footer(sector: bytes) -> Footer | None:
    """The footer in ``sector``, None unless its cookie and checksum are right."""
    if len(sector) != SECTOR or not sector.startswith(_COOKIE):
        return None
    fields = _FOOTER.unpack_from(sector)
    if not _sum_is_right(sector, 64):
        return None
    return Footer(kind=fields[11], header_offset=fields[3], virtual_size=fields[9])


def fixed_vhd_footer(last512: bytes, size: int) -> int | None:
    """Bytes of disk when a raw-looking file of ``size`` bytes ends in a fixed VHD's footer; else None: it is raw.

    The footer must say exactly what stands before it. One that says anything else is the end of a disk that holds a
    .vhd file: cut by it, the disk would lose what it holds itself.
    """
    footer = parse_footer(last512)
    if footer is None or footer.kind != _FIXED or footer.virtual_size != size - SECTOR or size == SECTOR:
        return None
    return footer.virtual_size


def open_vhd(read_at: ReadAt, size: int) -> Image:
    file = Window("vhd", read_at, size)
    if file.head(len(_COOKIE)) == _COOKIE:
        return DynamicVhd(file)
    disk = fixed_vhd_footer(read_at(size - SECTOR, SECTOR), size) if size > SECTOR else None
    if disk is None:
        raise file.invalid("no footer at either end")
    return FixedVhd(disk)


class FixedVhd:
    format = "vhd"
    cluster_size = SECTOR

    def __init__(self, virtual_size: int) -> None:
        self.virtual_size = virtual_size

    def extents(self) -> Iterator[Extent]:
        yield Extent(0, self.virtual_size, 0, self.virtual_size)


class DynamicVhd:
    format = "vhd"

    def __init__(self, file: Window) -> None:
        self._file = file
        footer = parse_footer(file.head(SECTOR))
        if footer is None:
            raise file.invalid("the footer's checksum is wrong")
        if footer.kind not in (_DYNAMIC_TYPE, _DIFFERENCING):
            raise file.unsupported(f"disk type {footer.kind}")
        self.virtual_size = footer.virtual_size
        header = file.table("the dynamic disk header", footer.header_offset, _DYNAMIC_SIZE, SECTOR)
        self._parse(footer, header)

    def _parse(self, footer: Footer, header: bytes) -> None:
        file = self._file
        cookie, _, table_offset, _, entries, block_size, _ = _DYNAMIC.unpack_from(header)
        if cookie != b"cxsparse" or not _sum_is_right(header, 36):
            raise file.invalid("the dynamic disk header is damaged")
        if footer.kind == _DIFFERENCING:
            name = printable(header[64:576].decode("utf-16-be", "replace").split("\0")[0])
            raise Fault("ImageHasBackingFile", format="vhd", reference=name)
        if block_size < SECTOR or block_size & block_size - 1 or block_size > GiB:
            raise file.invalid(f"blocks of {block_size} bytes")
        needed = -(-self.virtual_size // block_size)
        if not 0 < self.virtual_size <= _LARGEST or entries < needed:
            raise Fault("ImageSizeAbsurd", format="vhd", virtual=self.virtual_size)
        self.cluster_size = block_size
        self._bitmap = round_up(block_size // SECTOR // 8 or 1, SECTOR)
        self._table = BlockTable(file, "the block allocation table", table_offset, needed, 4, "big", SECTOR)
        self._table.check()

    def extents(self) -> Iterator[Extent]:
        return merged(self._blocks())

    def _blocks(self) -> Iterator[Extent]:
        """Whole blocks: sectors that a block's bitmap calls unused are zeros in the file (qemu reads them so too)."""
        ledger, size = Ledger(self._file, self.virtual_size), self.cluster_size
        for first, entries in self._table.pieces():
            for index, sector in enumerate(entries, first):
                if sector == _NO_BLOCK:
                    continue
                if sector == 0:
                    raise self._file.invalid("a block over the header")
                yield ledger.block(index * size, size, sector * SECTOR + self._bitmap)


def _sum_is_right(data: bytes, field: int) -> bool:
    """The checksum is the one's complement of the sum of all bytes but its own four."""
    stated = int.from_bytes(data[field : field + 4], "big")
    return ~(sum(data) - sum(data[field : field + 4])) & 0xFFFFFFFF == stated
