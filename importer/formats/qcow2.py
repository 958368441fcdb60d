"""A qcow2 image in a file that can be read at any place."""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.formats import Extent, ReadAt
from importer.formats.qcow2_header import HEAD_SIZE, parse_header
from importer.formats.qcow2_tables import L2Decoder, decode_l1
from importer.formats.runs import merged
from importer.formats.window import Window

_WINDOW = 4 * MiB  # bytes of L2 tables held at once
_GAP = 256 * KiB  # reading over a gap this small costs less than another request (performance.md 4)
_SHARE = 200  # of the file so much may be read over in all: data between scattered tables is fetched again later


class TableRead(NamedTuple):
    """One read that brings the L2 tables at ``tables`` (file offsets)."""

    offset: int
    length: int
    tables: list[int]


class Qcow2:
    """The active disk of a qcow2 image; internal snapshots are not looked at. See ``importer.formats.Image``."""

    format = "qcow2"

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._file = Window("qcow2", read_at, size)
        self.header = parse_header(self._file.head(HEAD_SIZE))
        self.virtual_size = self.header.virtual_size
        self.cluster_size = self.header.cluster_size
        self._file.check_table("the L1 table", self.header.l1_offset, self.header.l1_entries * 8)
        self._l2: array[int] | None = None

    def extents(self) -> Iterator[Extent]:
        decoder = L2Decoder(self.header, self._file.size)
        return merged(self._extents(decoder))

    def table_reads(self) -> Iterator[tuple[int, int]]:
        """(offset, length) of every read of L2 tables that ``extents`` will make, in its order: for fetching ahead."""
        left = self._file.size // _SHARE
        for window in self._windows():
            for read in self._reads(window, left):
                left -= read.length - len(read.tables) * self.cluster_size
                yield read.offset, read.length

    def _extents(self, decoder: L2Decoder) -> Iterator[Extent]:
        tables = self._tables()
        left = self._file.size // _SHARE
        for window in self._windows():
            reads = list(self._reads(window, left))
            left -= sum(read.length - len(read.tables) * self.cluster_size for read in reads)
            held = self._read_window(reads)
            for index in window:
                yield from decoder.decode(held[tables[index]], index * self.header.l2_coverage)

    def _tables(self) -> array[int]:
        """Offsets of the L2 tables; the L1 table is read once, in one piece (16 KiB for 1 TiB with 64 KiB clusters)."""
        if self._l2 is None:
            length = self.header.l1_entries * 8
            offsets = decode_l1(self.header, self._file.table("the L1 table", self.header.l1_offset, length))
            self._check_tables(offsets)
            self._l2 = offsets
        return self._l2

    def _check_tables(self, offsets: array[int]) -> None:
        count = len(offsets) - offsets.count(0)
        cluster = self.cluster_size
        if count * cluster > self._file.size:  # the same tables again and again: reading them would take for ever
            mapped = count * self.header.l2_coverage
            raise Fault("ImageClusterShared", format="qcow2", mapped=mapped, size=self._file.size)
        for index, offset in enumerate(offsets):
            if offset + cluster > self._file.size:
                self._file.check_table(f"L2 table {index}", offset, cluster)

    def _windows(self) -> Iterator[list[int]]:
        """Indexes of L2 tables that are held together, in guest order."""
        most = _WINDOW // self.cluster_size
        window: list[int] = []
        for index, offset in enumerate(self._tables()):
            if offset:
                window.append(index)
            if len(window) == most:
                yield window
                window = []
        if window:
            yield window

    def _reads(self, window: list[int], left: int) -> Iterator[TableRead]:
        """The tables of ``window`` in few reads: near ones together, none longer than the window. At most ``left``
        bytes that are no tables are read over."""
        tables, cluster = self._tables(), self.cluster_size
        read: TableRead | None = None
        for offset in sorted({tables[index] for index in window}):
            gap = offset - (read.offset + read.length) if read else 0
            if read and gap <= min(_GAP, left) and offset + cluster - read.offset <= _WINDOW:
                left -= gap
                read.tables.append(offset)
                read = read._replace(length=offset + cluster - read.offset)
                continue
            if read:
                yield read
            read = TableRead(offset, cluster, [offset])
        if read:
            yield read

    def _read_window(self, reads: list[TableRead]) -> dict[int, bytes]:
        held = {}
        for read in reads:
            data = self._file.table("L2 tables", read.offset, read.length)
            for offset in read.tables:
                held[offset] = data[offset - read.offset : offset - read.offset + self.cluster_size]
        return held
