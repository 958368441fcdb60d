"""PLACE: a qcow2 image in order; each cluster is written in place as it arrives."""

from __future__ import annotations

import tempfile
from bisect import bisect_right
from pathlib import Path

from cdi.base.units import MiB
from importer.fetch.rangeset import RangeSet
from importer.fetch.stream import fill
from importer.formats import Kind
from importer.formats.clusters import inflate_cluster
from importer.formats.qcow2_stream import Placement, Qcow2Placer
from importer.routes.gathered import Gathered
from importer.routes.job import Job
from importer.routes.plain import PlainStream
from importer.sinks.refusal import refusals

_BUFFER = MiB
_IN_MEMORY = 8 * MiB  # parked bytes before a temporary file is made; ordinary images park nothing


def run(job: Job, spool_directory: Path) -> int:
    """The bytes of disk. Blocking; raises the first Fault. Parked bytes go to an unlinked file in the directory."""
    job.progress.expect(job.plan.facts.size)
    plain = PlainStream(job)
    size = job.plan.facts.size if not job.plan.compression else None
    with tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY, dir=str(spool_directory), prefix=".cdi-park-") as file:
        placer = Qcow2Placer(FilePark(file, str(spool_directory)), size)
        placing = _Placing(job)
        buffer = memoryview(bytearray(_BUFFER))
        try:
            while count := fill(plain.readinto, buffer):
                for placement in placer.feed(buffer[:count]):
                    placing.place(placement)
                job.checkpoint_if_due()
            for placement in placer.finish():
                placing.place(placement)
        finally:
            plain.close()
    return placing.finish(placer.virtual_size or 0)


class _Placing:
    """Writes placements and remembers where, so that the rest can be made zero."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._done = RangeSet()
        self._gathered = Gathered(self._write, 2 * MiB)

    def place(self, placement: Placement) -> None:
        if placement.kind is Kind.DATA:
            self._write(placement.guest, placement.data)
        else:
            self._gathered.add(placement.guest, inflate_cluster(placement.kind, placement.data, placement.length))

    def _write(self, guest: int, data: memoryview) -> None:
        self._job.write(guest, data)
        self._done.add(guest, guest + len(data))

    def finish(self, virtual_size: int) -> int:
        self._gathered.flush()
        for start, end in self._done.missing(0, virtual_size):
            self._job.sink.zero(start, end - start)
        return virtual_size


class FilePark:
    """The placer's park: memory first, then a file nobody else can name. Offsets in the image are those in the file
    less what was never parked: an index keeps them, since the file must not be as large as the image."""

    def __init__(self, file: tempfile.SpooledTemporaryFile[bytes], name: str) -> None:
        self._file = file
        self._name = name
        self._index: list[tuple[int, int, int]] = []  # (offset in the image, length, offset in the file), growing
        self._used = 0

    def put(self, host: int, data: memoryview) -> None:
        with refusals(self._name, self._used):
            self._file.seek(self._used)
            self._file.write(data)
        self._index.append((host, len(data), self._used))
        self._used += len(data)

    def get(self, host: int, length: int) -> bytes:
        found = bytearray()
        index = bisect_right(self._index, (host, 1 << 62, 0)) - 1
        while len(found) < length:
            start, size, place = self._index[index]
            skip = host + len(found) - start
            self._file.seek(place + skip)
            found += self._file.read(min(size - skip, length - len(found)))
            index += 1
        return bytes(found)
