"""L1 and L2 tables of a qcow2 image: from table bytes to extents. Pure; used for files and for streams alike.

Hot: an L2 table has up to 262144 entries, so the loops compare whole entries and look closer only where a run ends.
"""

from __future__ import annotations

import sys
from array import array
from collections.abc import Iterator

from cdi.base.faults import Fault
from importer.formats import Extent, Kind
from importer.formats.qcow2_header import Header
from importer.formats.runs import merged

_OFFSET = 0x00FFFFFFFFFFFE00  # bits 9 to 55
_COPIED = 1 << 63
_COMPRESSED = 1 << 62
_ZERO = 1
_L1_RESERVED = ~(_OFFSET | _COPIED) & (1 << 64) - 1
_L2_RESERVED = ~(_OFFSET | _COPIED | _COMPRESSED | _ZERO) & (1 << 64) - 1
_SUBCLUSTERS = 32


def decode_l1(header: Header, table: bytes) -> array[int]:
    """Offsets of the L2 tables in guest order, 0 where there is none. Alignment and header overlap are checked."""
    offsets = _big_endian(table)
    floor, misaligned = header.cluster_size, header.cluster_size - 1
    for index, entry in enumerate(offsets):
        if not entry:
            continue
        offset = entry & _OFFSET
        if entry & _L1_RESERVED:
            raise _invalid(f"reserved bits in L1 entry {index}")
        if offset & misaligned or 0 < offset < floor:
            raise Fault("ImageTableOutside", format="qcow2", table=f"L2 table {index}", offset=offset)
        offsets[index] = offset
    return offsets


def decode_refcount_table(table: bytes) -> array[int]:
    """Offsets of the refcount blocks. Damage does not matter: reading the disk needs none of them."""
    return array("Q", (entry & _OFFSET for entry in _big_endian(table) if entry))


class L2Decoder:
    """Turns L2 tables into extents, merged inside a table; adds up what they map.

    ``file_size`` None: a stream whose end is not known; then nothing is checked against it or cut at it.
    """

    def __init__(self, header: Header, file_size: int | None) -> None:
        self.mapped = 0  # bytes of disk in plain clusters
        self.unpacked = 0  # bytes of disk in compressed clusters
        self._header = header
        self._file_size = file_size
        self._blank = bytes(header.cluster_size)
        offset_bits = 62 - (header.cluster_bits - 8)
        self._packed_offset = (1 << offset_bits) - 1
        self._packed_sectors = ((1 << 62) - 1) >> offset_bits
        self._packed_shift = offset_bits

    def decode(self, table: bytes, guest: int) -> Iterator[Extent]:
        """Extents of the L2 table whose first entry maps the disk at ``guest``, in guest order."""
        if table == self._blank:
            return
        found = self._subclusters(table, guest) if self._header.extended_l2 else self._clusters(table, guest)
        for extent in found:
            inside = self._inside_file(extent)
            if inside is not None:
                yield inside

    def _clusters(self, table: bytes, guest: int) -> Iterator[Extent]:
        size = self._header.cluster_size
        entries = _big_endian(table)
        del entries[-(-(self._header.virtual_size - guest) // size) :]
        start, first, expected = 0, 0, -1
        for index, entry in enumerate(entries):
            if entry == expected:
                expected += size
                continue
            if first:
                yield self._plain(guest + start * size, (index - start) * size, first)
            first, expected = 0, -1
            if entry & _COMPRESSED:
                yield self._packed(guest + index * size, entry)
            elif entry and (offset := self._offset(entry)):
                start, first, expected = index, offset, entry + size
        if first:
            yield self._plain(guest + start * size, (len(entries) - start) * size, first)

    def _subclusters(self, table: bytes, guest: int) -> Iterator[Extent]:
        end = self._header.virtual_size  # a shrunk disk may end inside a cluster, whose other parts are still there
        runs = merged(self._subcluster_runs(_big_endian(table), guest))
        return (self._clipped(run) for run in runs if run.guest < end)

    def _subcluster_runs(self, entries: array[int], guest: int) -> Iterator[Extent]:
        size = self._header.cluster_size
        used = -(-(self._header.virtual_size - guest) // size)
        for index in range(min(len(entries) // 2, used)):
            entry, bitmap = entries[2 * index], entries[2 * index + 1]
            if not entry and not bitmap:
                continue
            at = guest + index * size
            if entry & _COMPRESSED:
                if bitmap:
                    raise _invalid("a compressed cluster with subclusters")
                yield self._packed(at, entry)
                continue
            if entry & _ZERO:
                raise _invalid("reserved bits in an L2 entry")
            yield from self._allocated(at, self._offset(entry), bitmap)

    def _allocated(self, guest: int, host: int, bitmap: int) -> Iterator[Extent]:
        """The allocated subclusters of one cluster, neighbours joined."""
        allocated, zeros = bitmap & 0xFFFFFFFF, bitmap >> 32
        if allocated & zeros:
            raise _invalid("a subcluster is both allocated and zero")
        if allocated and not host:
            raise _invalid("an allocated subcluster without a place in the file")
        part = self._header.cluster_size // _SUBCLUSTERS
        bit = 0
        while allocated >> bit:
            bit += ((allocated >> bit) & -(allocated >> bit)).bit_length() - 1  # to the next set bit
            count = (~(allocated >> bit) & (allocated >> bit) + 1).bit_length() - 1  # ones in a row
            yield Extent(guest + bit * part, count * part, host + bit * part, count * part)
            bit += count

    def _offset(self, entry: int) -> int:
        """Where a plain cluster lies in the file; 0 when it is not allocated or reads as zeros."""
        if entry & _L2_RESERVED or (entry & _ZERO and self._header.version == 2):
            raise _invalid("reserved bits in an L2 entry")
        offset = entry & _OFFSET
        if offset & self._header.cluster_size - 1:
            raise _invalid(f"a cluster at {offset}, which is not aligned")
        return 0 if entry & _ZERO else offset

    def _plain(self, guest: int, length: int, host: int) -> Extent:
        return self._clipped(Extent(guest, length, host, length))

    def _clipped(self, extent: Extent) -> Extent:
        """The last cluster may reach beyond the end of the disk."""
        length = min(extent.length, self._header.virtual_size - extent.guest)
        if length == extent.length or extent.kind is not Kind.DATA:
            return extent
        return Extent(extent.guest, length, extent.host, length)

    def _packed(self, guest: int, entry: int) -> Extent:
        if entry & _COPIED:
            raise _invalid("reserved bits in an L2 entry")
        host = entry & self._packed_offset
        if host < self._header.cluster_size or host >> 56:
            raise _invalid(f"a compressed cluster at {host}")
        sectors = (entry >> self._packed_shift) & self._packed_sectors
        length = min(self._header.cluster_size, self._header.virtual_size - guest)
        return Extent(guest, length, host, (sectors + 1) * 512 - host % 512, self._header.compression)

    def _inside_file(self, extent: Extent) -> Extent | None:
        """``extent`` cut at the end of the file, and counted; None when all of it is in the missing part of the last
        cluster."""
        if extent.kind is Kind.DATA:
            self.mapped += extent.length
        else:
            self.unpacked += extent.length
        size = self._file_size
        if size is None:
            return extent
        over = extent.host + extent.host_length - size
        inside = self._cut(extent, over) if over > 0 else extent
        self.check_total(size)
        return inside

    def _cut(self, extent: Extent, over: int) -> Extent | None:
        """qemu lets the last cluster of the file be "semi-allocated": what is missing of it reads as zeros (its check
        accepts less than one cluster beyond the end). The packed length is an upper bound anyway."""
        needed, cluster = extent.host + extent.host_length, self._header.cluster_size
        size = needed - over
        last = (needed - 1) // cluster * cluster
        kept = extent.host_length - over
        if last >= size if extent.kind is Kind.DATA else kept <= 0:
            raise Fault("ImageTruncated", format="qcow2", size=size, needed=needed)
        if extent.kind is not Kind.DATA:
            return extent._replace(host_length=kept)
        # Of subclusters all may be missing, though their cluster begins in the file.
        return extent._replace(host_length=kept, length=kept) if kept > 0 else None

    def check_total(self, size: int) -> None:
        """Refuses an image that maps more disk than its ``size`` bytes of file can hold.

        Deflate cannot shrink by more than 1032; zstd has no such bound, so only the target's size limits it.
        """
        cluster = self._header.cluster_size
        most = -(-size // cluster) * cluster
        if self.mapped > most:
            raise Fault("ImageClusterShared", format="qcow2", mapped=self.mapped, size=size)
        if self._header.compression is Kind.DEFLATE and self.unpacked > 1032 * size:
            raise Fault("ImageClusterShared", format="qcow2", mapped=self.unpacked, size=size)


def _big_endian(table: bytes) -> array[int]:
    entries = array("Q", table)
    if sys.byteorder == "little":
        entries.byteswap()
    return entries


def _invalid(detail: str) -> Fault:
    return Fault("ImageInvalid", format="qcow2", detail=detail)
