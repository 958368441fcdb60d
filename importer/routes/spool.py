"""SPOOL: keep the whole image in an unlinked temporary file, then write the disk from there.

For formats whose tables may stand anywhere when the source is a stream, compressed, or to be checked as a whole.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import IO

from cdi.base.units import MiB
from importer.fetch.stream import fill
from importer.formats.registry import open_image
from importer.progress import Stage
from importer.routes import scatter
from importer.routes.job import Job
from importer.routes.plain import PlainStream
from importer.sinks.refusal import refusals
from importer.sources import Body, Facts
from importer.target import too_small


def run(job: Job, directory: Path) -> int:
    """Spool into ``directory``, check the whole, then write; the bytes of disk. Blocking; raises the first Fault."""
    with _unlinked_file(directory) as file:
        descriptor = file.fileno()
        size = _fill_spool(job, descriptor, str(directory))
        if job.hasher is not None:
            job.hasher.verify()  # before the converter looks at a single byte
        spool = SpoolSource(job.source.name, descriptor, size)
        image = open_image(job.plan.format, spool.read_at, size)
        if image.virtual_size > job.limit:
            raise too_small(image.virtual_size, job.limit)
        job.received()
        job.progress.enter(Stage.CONVERTING)
        job.sink.grow(image.virtual_size)
        # Counted as transferred once already, so the second reading is not progress of the transfer.
        plan = replace(job.plan, facts=replace(job.plan.facts, head=b""), tables=None)
        second = replace(job, plan=plan, source=spool, progress=type(job.progress)())
        scatter.run(second, image)
        return image.virtual_size


def _unlinked_file(directory: Path) -> IO[bytes]:
    with refusals(str(directory)):
        return tempfile.TemporaryFile(dir=directory, prefix=".cdi-spool-")


def _fill_spool(job: Job, descriptor: int, place: str) -> int:
    job.progress.expect(job.plan.facts.size)
    plain = PlainStream(job)
    buffer = memoryview(bytearray(MiB))
    try:
        while count := fill(plain.readinto, buffer):
            with refusals(place, plain.position):
                _write_all(descriptor, buffer[:count])
        return plain.position
    finally:
        plain.close()


def _write_all(descriptor: int, data: memoryview) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


class SpoolSource:
    """The spooled file as a source with ranges. The descriptor stays the caller's."""

    trust_checksum = False
    mixed: tuple[str, str] | None = None

    def __init__(self, name: str, descriptor: int, size: int) -> None:
        self.name = name
        self._descriptor = descriptor
        self._size = size

    def probe(self) -> Facts:
        return Facts(self.name, self._size, True, None, self.read_at(0, min(self._size, 65536)))

    def open(self, offset: int, length: int | None) -> Body:
        return _SpoolBody(self._descriptor, offset, self._size if length is None else offset + length)

    def read_at(self, offset: int, length: int) -> bytes:
        return os.pread(self._descriptor, length, offset)

    def interrupt(self) -> None:
        """Reading a local file does not block for long."""

    def close(self) -> None:
        """The descriptor is the caller's."""


class _SpoolBody:
    def __init__(self, descriptor: int, offset: int, end: int) -> None:
        self._descriptor = descriptor
        self._offset = offset
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        count = os.preadv(self._descriptor, [buffer[: self._end - self._offset]], self._offset)
        self._offset += count
        return count

    def close(self) -> None:
        """Nothing is held."""
