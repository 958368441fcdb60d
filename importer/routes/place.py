"""PLACE: a qcow2 image in order; each cluster is written in place as it arrives."""

from __future__ import annotations

import io
import tempfile
from array import array
from bisect import bisect_right
from collections.abc import Callable
from pathlib import Path
from typing import IO, Self

from cdi.base.units import MiB
from importer.fetch.rangeset import RangeSet
from importer.fetch.stream import fill
from importer.formats.qcow2_stream import Placement, Qcow2Placer
from importer.routes.gathered import Gathered
from importer.routes.job import Job
from importer.routes.plain import PlainStream
from importer.sinks.refusal import refusals

_BUFFER = MiB
_LARGE = MiB // 2  # what is written as it comes; smaller neighbours together
_IN_MEMORY = 8 * MiB  # parked bytes before a temporary file is made; ordinary images park nothing


def run(job: Job, directory: Callable[[], Path]) -> int:
    """The bytes of disk. Blocking; raises the first Fault. What is parked and does not fit into memory goes to an
    unlinked file in ``directory()``, which is not asked before."""
    job.progress.expect(job.plan.facts.size)
    plain = PlainStream(job)
    size = job.plan.facts.size if not job.plan.compression else None
    with FilePark(directory) as park:
        placer = Qcow2Placer(park, size)
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
        if len(placement.data) < _LARGE:
            self._gathered.add(placement.guest, placement.data)
        else:
            self._write(placement.guest, memoryview(placement.data))

    def _write(self, guest: int, data: memoryview) -> None:
        self._job.write(guest, data)
        self._done.add(guest, guest + len(data))

    def finish(self, virtual_size: int) -> int:
        self._gathered.flush()
        for start, end in self._done.missing(0, virtual_size):
            self._job.zero(start, end - start)
        return virtual_size


class FilePark:
    """The placer's park: memory first, then a file nobody else can name. Offsets in the image are those in the file
    less what was never parked: an index keeps them, since the file must not be as large as the image."""

    def __init__(self, directory: Callable[[], Path]) -> None:
        self._directory = directory
        self._file: IO[bytes] = io.BytesIO()
        self._name = "memory"
        self._hosts = array("Q")  # offsets in the image, growing
        self._places = array("Q")  # where in the file each of them is
        self._used = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def put(self, host: int, data: memoryview) -> None:
        if self._used + len(data) > _IN_MEMORY and isinstance(self._file, io.BytesIO):
            self._move_to_file(self._file)
        with refusals(self._name, self._used):
            self._file.seek(self._used)
            self._file.write(data)
        self._hosts.append(host)
        self._places.append(self._used)
        self._used += len(data)

    def _move_to_file(self, memory: io.BytesIO) -> None:
        directory = self._directory()
        self._name = str(directory)
        with refusals(self._name):
            self._file = tempfile.TemporaryFile(dir=directory, prefix=".cdi-park-")  # noqa: SIM115  closed on exit
            self._file.write(memory.getbuffer())

    def get(self, host: int, length: int) -> bytes:
        found = bytearray()
        index = bisect_right(self._hosts, host) - 1
        while len(found) < length:
            place = self._places[index] + host + len(found) - self._hosts[index]
            index += 1
            end = self._places[index] if index < len(self._places) else self._used
            self._file.seek(place)
            found += self._file.read(min(end - place, length - len(found)))
        return bytes(found)
