"""VDI (VirtualBox) images, dynamic and static: one map of blocks. Layout as VirtualBox and qemu write it."""

from __future__ import annotations

import struct
from collections.abc import Iterator

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB, round_up
from importer.formats import Extent, ReadAt
from importer.formats.block_table import BlockTable
from importer.formats.ledger import Ledger
from importer.formats.runs import merged
from importer.formats.window import Window

_HEADER = struct.Struct("<64sIIIII256sIIIIIIIQIIII16s16s16s16s")
_SIGNATURE = 0xBEDA107F
_VERSION = 0x00010001
_UNDO, _DIFFERENCING = 3, 4
_DISCARDED = 0xFFFFFFFE  # reads as zeros; 0xFFFFFFFF: never written
_LARGEST = 1 << 60


class Vdi:
    format = "vdi"

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._file = file = Window("vdi", read_at, size)
        head = file.head(512)
        if len(head) < _HEADER.size:
            raise Fault("ImageTruncated", format="vdi", size=size, needed=512)
        fields = _HEADER.unpack_from(head)
        _, signature, version, _, kind, _, _, map_offset, self._data_offset = fields[:9]
        sector_size, _, self.virtual_size, self.cluster_size, extra, blocks = fields[12:18]
        if signature != _SIGNATURE:
            raise file.invalid("no VDI signature")
        if version != _VERSION:
            raise file.unsupported(f"version {version >> 16}.{version & 0xFFFF}")
        self._refuse_parents(kind, fields[21], fields[22])
        self._check_geometry(sector_size, extra, blocks)
        # As qemu counts: the blocks hold whole sectors, also the last of a disk that ends inside of one.
        self.virtual_size = round_up(self.virtual_size, 512)
        needed = -(-self.virtual_size // self.cluster_size)
        self._table = BlockTable(file, "the block map", map_offset, needed, 4, "little", _HEADER.size)
        self._table.check()

    def _refuse_parents(self, kind: int, link: bytes, parent: bytes) -> None:
        if kind in (_UNDO, _DIFFERENCING) or any(link) or any(parent):
            raise Fault("ImageHasBackingFile", format="vdi", reference=(parent if any(parent) else link).hex())
        if kind not in (1, 2):
            raise self._file.unsupported(f"image type {kind}")

    def _check_geometry(self, sector_size: int, extra: int, blocks: int) -> None:
        size = self.cluster_size
        if sector_size != 512:
            raise self._file.unsupported(f"sectors of {sector_size} bytes")
        if extra:
            raise self._file.unsupported("extra data in its blocks")
        if size & size - 1 or not 4 * KiB <= size <= 256 * MiB:
            raise self._file.invalid(f"blocks of {size} bytes")
        if not 0 < self.virtual_size <= _LARGEST or blocks < -(-self.virtual_size // size):
            raise Fault("ImageSizeAbsurd", format="vdi", virtual=self.virtual_size)
        if self._data_offset < _HEADER.size:
            raise self._file.invalid("data over the header")

    def extents(self) -> Iterator[Extent]:
        return merged(self._blocks())

    def _blocks(self) -> Iterator[Extent]:
        ledger, size = Ledger(self._file, self.virtual_size), self.cluster_size
        for first, entries in self._table.pieces():
            for index, entry in enumerate(entries, first):
                if entry < _DISCARDED:
                    yield ledger.block(index * size, size, self._data_offset + entry * size)
