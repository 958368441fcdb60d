"""VMDK images of one file: monolithicSparse and streamOptimized. Spec: VMware Virtual Disk Format 5.0.

A grain directory names grain tables, which name grains (64 KiB as a rule). In streamOptimized files each grain is a
marker of 12 bytes (place on the disk, packed size) and a zlib stream; the directory's place is in a footer at the end.
"""

from __future__ import annotations

import struct
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice, pairwise

from cdi.base.faults import Fault
from cdi.base.units import MiB, TiB
from importer.formats import Extent, Kind, ReadAt
from importer.formats.block_table import BlockTable
from importer.formats.ledger import Ledger
from importer.formats.runs import merged
from importer.formats.vmdk_descriptor import check_descriptor
from importer.formats.window import Window

SECTOR = 512
MARKER = 12  # bytes before the zlib stream of a packed grain
_HEADER = struct.Struct("<4sIIQQQQIQQQB4sH")
_AT_END = 0xFFFFFFFFFFFFFFFF
_ZEROED, _PACKED, _MARKERS = 1 << 2, 1 << 16, 1 << 17
_LARGEST = 64 * TiB
_MOST_TABLES = 8 * MiB  # entries of a grain directory: 32 MiB
_NEWLINES = b"\n \r\n"
_SLACK = 1024  # zlib makes incompressible data longer by less than this, for grains up to 1 MiB
_TABLES_HELD = 4 * MiB  # bytes of grain tables read together
_FOOTER_MARKER = 3


@dataclass(frozen=True, slots=True)
class Header:
    """Offsets and sizes in bytes."""

    flags: int
    virtual_size: int
    grain_size: int
    descriptor: tuple[int, int]  # offset, length
    table_entries: int
    directory: int
    packed: bool


class Vmdk:
    format = "vmdk"

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._file = file = Window("vmdk", read_at, size)
        head = file.head(SECTOR)
        if len(head) < SECTOR:
            raise Fault("ImageTruncated", format="vmdk", size=size, needed=SECTOR)
        if _HEADER.unpack_from(head)[9] == _AT_END:
            self._check_header(head)  # before believing where the footer is
            head = self._footer()
        self._header = header = self._check_header(head)
        self.virtual_size = header.virtual_size
        self.cluster_size = header.grain_size
        if header.descriptor[0]:
            check_descriptor(file.table("the descriptor", *header.descriptor, floor=SECTOR))
        self._coverage = header.table_entries * header.grain_size
        count = -(-header.virtual_size // self._coverage)
        if count > _MOST_TABLES:
            detail = f"{count} entries, at most {_MOST_TABLES} are allowed"
            table = "the grain directory"
            raise Fault("ImageTableTooBig", contract="L1 size too big", format="vmdk", table=table, detail=detail)
        self._directory = BlockTable(file, "the grain directory", header.directory, count, 4, "little", SECTOR)
        self._directory.check()

    def extents(self) -> Iterator[Extent]:
        return merged(self._grains())

    def _footer(self) -> bytes:
        """The second header of a streamOptimized file: marker, header and end-of-stream marker are its last sectors."""
        tail = self._file.table("the footer", self._file.size - 3 * SECTOR, 3 * SECTOR, SECTOR)
        value, size, kind = struct.unpack_from("<QII", tail)
        if (value, size, kind) != (1, 0, _FOOTER_MARKER) or any(tail[2 * SECTOR :]):
            needed = self._file.size + SECTOR
            raise Fault("ImageTruncated", format="vmdk", size=self._file.size, needed=needed)
        footer = tail[SECTOR : 2 * SECTOR]
        if _HEADER.unpack_from(footer)[9] == _AT_END:
            raise self._file.invalid("the footer does not say where the grain directory is")
        return footer

    def _check_header(self, head: bytes) -> Header:
        file = self._file
        magic, version, flags, capacity, grain, at, length, entries, _, directory, _, _, newlines, packing = (
            _HEADER.unpack_from(head)
        )
        if magic != b"KDMV":
            raise file.invalid("no header")
        if version not in (1, 2, 3):
            raise file.unsupported(f"version {version}")
        if flags & 1 and newlines != _NEWLINES:
            raise file.invalid("the file was changed by a transfer in text mode")
        if not capacity:  # then qemu would follow the descriptor's extents instead
            raise Fault("ImageHasExternalData", format="vmdk", reference="the extents of its descriptor")
        if capacity > _LARGEST // SECTOR:
            raise Fault("ImageSizeAbsurd", format="vmdk", virtual=capacity * SECTOR)
        if grain & grain - 1 or not 8 <= grain <= 2048:
            raise file.invalid(f"grains of {grain} sectors")
        if not 1 <= entries <= 512:
            raise file.invalid(f"grain tables of {entries} entries")
        packed = bool(flags & _PACKED)
        if packed and packing != 1:
            raise file.unsupported(f"compression {packing}")
        if length > MiB // SECTOR:
            raise Fault("ImageTableTooBig", format="vmdk", table="the descriptor", detail=f"{length} sectors")
        descriptor = at * SECTOR, length * SECTOR
        return Header(
            flags, capacity * SECTOR, grain * SECTOR, descriptor, entries, min(directory, 1 << 54) * SECTOR, packed
        )

    def _grains(self) -> Iterator[Extent]:
        ledger = Ledger(self._file, self.virtual_size)
        packed = 0
        for guest, table in self._tables():
            if self._header.packed:
                for extent in self._packed(guest, table):
                    packed += extent.length
                    ledger.check(packed // 1032)  # deflate cannot shrink more
                    yield extent
            else:
                for at, sector in self._allocated(guest, table):
                    yield ledger.block(at, self.cluster_size, sector * SECTOR)

    def _tables(self) -> Iterator[tuple[int, array[int]]]:
        """(guest offset, entries) of every grain table; tables that are neighbours in the file are read together."""
        length = self._header.table_entries * 4
        found = self._table_places()
        seen = 0
        while batch := list(islice(found, _TABLES_HELD // length)):
            seen += len(batch)
            Ledger(self._file, self.virtual_size).check(seen * length)  # the same tables again and again
            for run in _neighbours(batch, length):
                data = self._file.table("grain tables", run[0][1], len(run) * length, SECTOR)
                for number, (guest, _) in enumerate(run):
                    yield guest, _little_endian(data[number * length : (number + 1) * length])

    def _table_places(self) -> Iterator[tuple[int, int]]:
        for first, entries in self._directory.pieces():
            for index, sector in enumerate(entries, first):
                if sector:
                    yield index * self._coverage, sector * SECTOR

    def _allocated(self, guest: int, table: array[int]) -> Iterator[tuple[int, int]]:
        """(guest offset, sector) of the grains that are in the file."""
        for index, sector in enumerate(table):
            at = guest + index * self.cluster_size
            if at >= self.virtual_size:
                return
            if sector == 0 or (sector == 1 and self._header.flags & _ZEROED):
                continue
            if sector == 1:
                raise self._file.invalid("a grain over the descriptor")
            yield at, sector

    def _packed(self, guest: int, table: array[int]) -> Iterator[Extent]:
        """Grains as zlib streams. Their markers are not read, which over a network would be a request for each: the
        next grain, or the longest possible stream, bounds them, and zlib's own checksum proves the content."""
        grains = list(self._allocated(guest, table))
        places = sorted({sector for _, sector in grains})
        bounds = dict(pairwise([*places, 1 << 33]))  # of a table that names no grain: none
        for at, sector in grains:
            host = sector * SECTOR + (MARKER if self._header.flags & _MARKERS else 0)
            if host >= self._file.size:
                raise Fault("ImageTruncated", format="vmdk", size=self._file.size, needed=host + 1)
            end = min(bounds[sector] * SECTOR, host + self.cluster_size + _SLACK, self._file.size)
            yield Extent(at, min(self.cluster_size, self.virtual_size - at), host, end - host, Kind.ZLIB)


def _neighbours(places: list[tuple[int, int]], length: int) -> Iterator[list[tuple[int, int]]]:
    run: list[tuple[int, int]] = []
    for place in places:
        if run and place[1] != run[-1][1] + length:
            yield run
            run = []
        run.append(place)
    if run:
        yield run


def _little_endian(data: bytes) -> array[int]:
    import sys

    entries = array("I", data)
    if sys.byteorder == "big":
        entries.byteswap()
    return entries
