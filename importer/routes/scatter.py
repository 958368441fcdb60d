"""SCATTER: fetch only the allocated parts of an image, by parallel ranges, and write each in place."""

from __future__ import annotations

from collections.abc import Iterator

from cdi.base.units import MiB
from importer.fetch.reader import RangeReader
from importer.formats import Image
from importer.routes.gaps import NO_MATTER, Gaps
from importer.routes.gathered import Gathered
from importer.routes.job import Job
from importer.routes.pieces import Pieces
from importer.routes.segments import NEAR_REQUEST, REQUEST, Segment, holes, missing_extents, segments

UNIT = 2 * MiB  # the commit unit: what one connection may have to fetch again after a kill
_NEAR_S = 0.003  # a round trip within one place; further away, small requests would wait more than they transfer
_DECODED = MiB  # decoded clusters gathered before one write


def run(job: Job, image: Image) -> None:
    """Write all of ``image`` to the sink. Blocking; raises the first Fault."""
    # A compressed cluster must fit the buffer whole: its entry may count sectors for two clusters (their number minus
    # one has cluster_bits - 8 bits: qcow2's specification, "Compressed Clusters Descriptor").
    buffer_size = max(UNIT, 2 * image.cluster_size)
    scatter = _Scatter(job, image, buffer_size)
    Pieces(job, scatter.segments(), scatter.handle, buffer_size).run()


class _Scatter:
    def __init__(self, job: Job, image: Image, buffer_size: int) -> None:
        self._job = job
        self._image = image
        self._buffer_size = buffer_size
        self._reader: RangeReader = job.reader()

    def segments(self) -> Iterator[Segment]:
        everything = holes(self._image.extents(), self._image.virtual_size, self._hole)
        missing = missing_extents(everything, self._job.kept.ranges, self._job.progress.spare)
        return segments(missing, self._buffer_size, self._request, self._gaps())

    def _gaps(self) -> Gaps:
        plan = self._job.plan
        return Gaps(plan.facts.size or 0, plan.tables.overlaps) if plan.tables else NO_MATTER

    def _request(self) -> int:
        return REQUEST if self._reader.quickest_s > _NEAR_S else NEAR_REQUEST

    def _hole(self, offset: int, length: int) -> None:
        if self._image.format == "raw":  # it is in the file too, and need not be transferred
            self._job.progress.spare(length)
        for start, end in self._job.kept.ranges.missing(offset, offset + length):
            self._job.zero(start, end - start)

    def handle(self, segment: Segment, buffer: memoryview) -> None:
        if segment.whole:
            self._decode(segment, buffer)
        else:
            self._copy(segment, buffer)

    def _copy(self, segment: Segment, buffer: memoryview) -> None:
        position = segment.host
        pending = iter(segment.extents)
        extent = next(pending)
        for view in self._reader.units(segment.host, segment.length, buffer[:UNIT]):
            end = position + len(view)
            while extent.host < end:
                start, stop = max(position, extent.host), min(end, extent.host + extent.length)
                if start < stop:
                    self._job.write(extent.guest + start - extent.host, view[start - position : stop - position])
                if extent.host + extent.length > end:
                    break  # the rest of this extent is in the next unit
                following = next(pending, None)
                if following is None:
                    break
                extent = following
            position = end

    def _decode(self, segment: Segment, buffer: memoryview) -> None:
        from importer.formats.clusters import inflate_cluster

        (data,) = self._reader.units(segment.host, segment.length, buffer[: segment.length])
        gathered = Gathered(self._job.write, max(_DECODED, self._image.cluster_size))
        for extent in sorted(segment.extents, key=lambda extent: extent.guest):
            at = extent.host - segment.host
            packed = data[at : at + extent.host_length]
            gathered.add(extent.guest, inflate_cluster(extent.kind, packed, extent.length))
        gathered.flush()
