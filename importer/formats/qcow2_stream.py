"""Placing the clusters of a qcow2 image that comes as a stream, without seeking and as a rule without keeping it.

    placer = Qcow2Placer(park, size)
    for data in stream:                      # any sizes; each view must stay valid until its loop is done
        for placement in placer.feed(data):  # to its end, before the next feed
            write(placement)
    for placement in placer.finish():        # raises unless every mapped cluster came by
        write(placement)

Disk bytes in no placement are zeros; placements come in file order and never overlap, unless the image does, which is
refused at the latest by ``finish``: publish only after it. ``virtual_size`` is known from the first 64 KiB on.

Bytes are parked only while their use is open: behind the header, before the tables that may map them have passed.
Images as qemu-img converts them, and those a guest wrote to, have each table before its data (performance.md 4), so
nothing is parked but slack behind compressed clusters; a moved L1 table (after a resize) parks all that came before
it, a rewritten snapshot what belongs to the snapshot.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator
from typing import NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import MiB, round_up
from importer.formats import Extent, Kind
from importer.formats.clusters import unpack_cluster
from importer.formats.qcow2_arrivals import L1, REFCOUNTS, Arrival, Arrivals
from importer.formats.qcow2_header import HEAD_SIZE, Header, parse_header
from importer.formats.qcow2_park import Park, Parked
from importer.formats.qcow2_pending import Pending
from importer.formats.qcow2_tables import L2Decoder, decode_l1, decode_refcount_table

_EARLY = 4 * MiB  # an L1 table before this, or in the first clusters, is where it was created
_L1_LIMIT = 4 * MiB  # bytes held for a stream: 256 TiB of disk with 64 KiB clusters
_RECALL = MiB  # bytes of one placement from the park
_SLACK = 511  # the packed length is rounded up to sectors


class Placement(NamedTuple):
    """``data`` belongs to the disk at ``guest``."""

    guest: int
    data: bytes | memoryview


class Outlook(NamedTuple):
    """What the head of a stream says about the rest."""

    header: Header
    parks: bool  # the L1 table was moved: everything before it must be parked


def plan_from_head(head: bytes) -> Outlook:
    """For the plan: from the first HEAD_SIZE bytes (or the whole smaller file). Raises what the header refuses."""
    header = parse_header(head)
    early = header.l1_offset <= max(_EARLY, 16 * header.cluster_size)
    return Outlook(header, parks=not early)


class Qcow2Placer:
    """See the module. Not for several threads."""

    def __init__(self, park: Park, size: int | None = None) -> None:
        self.position = 0  # bytes of the file that were placed, parked or dropped
        self._size = size
        self._parked = Parked(park)
        self._head = bytearray()
        self._disk: _Disk | None = None

    @property
    def virtual_size(self) -> int | None:
        return self._disk.header.virtual_size if self._disk else None

    @property
    def parked(self) -> int:
        """Bytes given to the park so far."""
        return self._parked.parked

    def feed(self, data: memoryview) -> Iterator[Placement]:
        disk = self._disk
        if disk is None:
            self._head += data
            if len(self._head) < HEAD_SIZE:
                return
            disk, data = self._begin()
        yield from self._advance(disk, data)

    def finish(self) -> Iterator[Placement]:
        """The end of the stream: what was held back, and the proof that nothing is missing (else ImageTruncated)."""
        disk = self._disk
        if disk is None:
            disk, head = self._begin()
            yield from self._advance(disk, head)
        yield from disk.close(self.position)

    def _begin(self) -> tuple[_Disk, memoryview]:
        head = bytes(self._head)
        self._head.clear()
        self._disk = _Disk(parse_header(head), self._size, self._parked)
        return self._disk, memoryview(head)

    def _advance(self, disk: _Disk, data: memoryview) -> Iterator[Placement]:
        while data:
            stop = disk.arrivals.next_stop(self.position)
            part = data if stop is None else data[: stop - self.position]
            yield from disk.pass_by(part, self.position)
            self.position += len(part)
            for arrival in disk.arrivals.collect(part, self.position):
                yield from disk.arrived(arrival, self.position)
            data = data[len(part) :]


class _Disk:
    """What is known of the image at one point of the stream."""

    def __init__(self, header: Header, size: int | None, parked: Parked) -> None:
        self.header = header
        self.arrivals = Arrivals()
        self._decoder = L2Decoder(header, size)
        self._pending = Pending(header.compression)
        self._parked = parked
        self._metadata = {0}  # numbers of clusters that hold no disk
        self._unread = 1  # tables that may still map bytes that already passed
        self._tail = b""  # bytes before the position, for compressed clusters that are not complete yet
        self._placed = 0
        self._unpacked = 0
        self._expect_first_tables()

    def _expect_first_tables(self) -> None:
        header = self.header
        length = header.l1_entries * 8
        if length > _L1_LIMIT:
            detail = f"{length} bytes, at most {_L1_LIMIT} are held for a stream"
            raise Fault("ImageTableTooBig", format="qcow2", table="the L1 table", detail=detail)
        self.arrivals.expect(header.l1_offset, length, L1)
        self._mark(header.l1_offset, length)
        length = header.refcount_clusters * header.cluster_size
        # Not needed for reading: it only tells clusters that need not be parked.
        if 0 < length <= MiB and header.refcount_offset >= header.cluster_size:
            self.arrivals.expect(header.refcount_offset, length, REFCOUNTS)
            self._mark(header.refcount_offset, length)

    def _mark(self, offset: int, length: int) -> None:
        bits = self.header.cluster_bits
        self._metadata.update(range(offset >> bits, (offset + length - 1 >> bits) + 1))

    # --- bytes that pass ----------------------------------------------------------------------------------------

    def pass_by(self, data: memoryview, start: int) -> Iterator[Placement]:
        """Place the known parts of ``data``, which begins at ``start`` in the file, and park the unknown ones."""
        end = start + len(data)
        unfinished: list[Extent] = []
        certain = start  # up to here it is known whose the bytes are
        for extent in self._pending.take(end):
            if extent.host > certain:  # another table may have a small compressed cluster in the slack of the last one
                self._keep(certain, extent.host, data, start)
            extent_end = extent.host + extent.host_length
            if extent.kind is Kind.DATA:
                yield self._plain(extent, data[extent.host - start : extent_end - start], end)
                certain = max(certain, extent_end)
                if extent_end > end:
                    unfinished.append(_without_front(extent, end - extent.host))
                continue
            used = None
            if extent_end > end:
                unfinished.append(extent)
            else:
                placement, used = self._unpack(extent, self._packed(extent, data, start), end)
                yield placement
            certain = max(certain, extent.host + (used or max(1, extent.host_length - _SLACK)))
        if certain < end:
            self._keep(certain, end, data, start)
        self._hold_back(unfinished, data, start)

    def _packed(self, extent: Extent, data: memoryview, start: int) -> memoryview:
        stop = extent.host + extent.host_length - start
        if extent.host >= start:
            return data[extent.host - start : stop]
        return memoryview(self._tail[extent.host - start :] + bytes(data[:stop]))

    def _hold_back(self, unfinished: list[Extent], data: memoryview, start: int) -> None:
        """Keep the bytes from the first incomplete compressed cluster on: at most twice a cluster's size."""
        hosts = [extent.host for extent in unfinished if extent.kind is not Kind.DATA]
        first = min(hosts, default=start + len(data))
        self._tail = (self._tail[first - start :] if first < start else b"") + bytes(data[max(0, first - start) :])
        self._pending.add(unfinished)

    def _plain(self, extent: Extent, data: memoryview, end: int) -> Placement:
        """Counted against the ``end`` bytes that came so far: more disk than file means shared clusters."""
        self._placed += len(data)
        if self._placed > end:
            raise Fault("ImageClusterShared", format="qcow2", mapped=self._placed, size=end)
        return Placement(extent.guest, data)

    def _unpack(self, extent: Extent, data: memoryview, end: int) -> tuple[Placement, int | None]:
        """Also the packed length, where it shows. Counted as in ``_plain``: deflate cannot shrink more than that."""
        self._unpacked += extent.length
        if extent.kind is Kind.DEFLATE and self._unpacked > 1032 * end:
            raise Fault("ImageClusterShared", format="qcow2", mapped=self._unpacked, size=end)
        plain, used = unpack_cluster(extent.kind, data, extent.length)
        return Placement(extent.guest, plain), used

    def _keep(self, start: int, end: int, data: memoryview, base: int) -> None:
        """Park [start, end) unless no table is left that could map it; clusters of metadata never are."""
        if not self._unread:
            return
        bits = self.header.cluster_bits
        run = start
        while start < end:
            cluster = start >> bits
            stop = min(end, cluster + 1 << bits)
            if cluster in self._metadata:
                self._parked.keep(run, data[run - base : start - base])
                run = stop
            start = stop
        self._parked.keep(run, data[run - base : end - base])

    # --- tables that are complete ---------------------------------------------------------------------------------

    def arrived(self, arrival: Arrival, position: int) -> Iterator[Placement]:
        if arrival.index == REFCOUNTS:
            for offset in decode_refcount_table(bytes(arrival.data)):
                self._metadata.add(offset >> self.header.cluster_bits)
        elif arrival.index == L1:
            yield from self._read_l1(bytes(arrival.data), position)
        else:
            yield from self._read_l2(bytes(arrival.data), arrival.index, position)

    def _read_l1(self, table: bytes, position: int) -> Iterator[Placement]:
        offsets = decode_l1(self.header, table)
        self._unread = len(offsets) - offsets.count(0)
        self._check_l1(offsets)
        for index, offset in enumerate(offsets):
            if not offset:
                continue
            if offset >= position:
                self._mark(offset, self.header.cluster_size)
                self.arrivals.expect(offset, self.header.cluster_size, index)
                continue
            passed = self._parked.recall(offset, self.header.cluster_size)
            if passed is None:  # it lies over the header or another table
                raise Fault("ImageTableOutside", format="qcow2", table=f"L2 table {index}", offset=offset)
            yield from self._read_l2(passed, index, position)

    def _check_l1(self, offsets: array[int]) -> None:
        used = {offset for offset in offsets if offset}
        if len(used) != self._unread:
            raise Fault("ImageInvalid", format="qcow2", detail="an L2 table is used twice")
        l1 = self.header.l1_offset
        for offset in range(l1, l1 + len(offsets) * 8, self.header.cluster_size):
            if offset in used:
                raise Fault("ImageTableOutside", format="qcow2", table="an L2 table", offset=offset)

    def _read_l2(self, table: bytes, index: int, position: int) -> Iterator[Placement]:
        self._unread -= 1
        future: list[Extent] = []
        for extent in self._decoder.decode(table, index * self.header.l2_coverage):
            if extent.host >= position:
                future.append(extent)
            elif extent.kind is not Kind.DATA:
                yield self._recall_packed(extent, position)
            else:
                passed = min(extent.length, position - extent.host)
                yield from self._recall_plain(extent, passed, position)
                if passed < extent.length:
                    future.append(_without_front(extent, passed))
        self._refuse_shared(future, position)
        self._pending.add(future)

    def _refuse_shared(self, extents: list[Extent], position: int) -> None:
        """Plain clusters that one table maps twice, before they take memory; of several tables it shows at the end."""
        end = 0
        for extent in sorted((extent for extent in extents if extent.kind is Kind.DATA), key=_host):
            if extent.host < end:
                raise Fault("ImageClusterShared", format="qcow2", mapped=self._decoder.mapped, size=position)
            end = extent.host + extent.length

    def _recall_plain(self, extent: Extent, passed: int, position: int) -> Iterator[Placement]:
        for done in range(0, passed, _RECALL):
            part = _without_front(extent, done)
            data = self._parked.recall(part.host, min(_RECALL, passed - done))
            yield self._plain(part, self._found(data, position), position)

    def _recall_packed(self, extent: Extent, position: int) -> Placement:
        """What lies behind the true end within its last sector may be anything, also something that was not parked."""
        length = min(extent.host_length, position - extent.host)
        data = self._parked.recall(extent.host, length, min(length, max(1, extent.host_length - _SLACK)))
        return self._unpack(extent, self._found(data, position), position)[0]

    def _found(self, data: bytes | None, position: int) -> memoryview:
        """Not parked means: it was placed already, or it is a table."""
        if data is None:
            raise Fault("ImageClusterShared", format="qcow2", mapped=self._decoder.mapped, size=position)
        return memoryview(data)

    # --- the end --------------------------------------------------------------------------------------------------

    def close(self, end: int) -> Iterator[Placement]:
        missing = self.arrivals.missing()
        if missing is not None:
            raise Fault("ImageTruncated", format="qcow2", size=end, needed=missing)
        limit = round_up(end, self.header.cluster_size)
        for extent in self._pending.take(1 << 64):
            if extent.kind is not Kind.DATA and extent.host < end:
                yield self._unpack(extent, memoryview(self._tail)[extent.host - end :], end)[0]
            elif extent.host + extent.host_length > limit:  # the last cluster may be incomplete, as in qcow2_tables
                raise Fault("ImageTruncated", format="qcow2", size=end, needed=extent.host + extent.host_length)
        self._decoder.check_total(end)


def _host(extent: Extent) -> int:
    return extent.host


def _without_front(extent: Extent, count: int) -> Extent:
    """A plain extent without its first ``count`` bytes."""
    length = extent.length - count
    return Extent(extent.guest + count, length, extent.host + count, length)
