"""BLOCKS: the blocks of an xz file by range, decoded side by side (liblzma releases the GIL) and written in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.decode.xz_blocks import XzBlock, XzBlockReader
from importer.fetch.stream import fill
from importer.routes.job import Job
from importer.routes.pieces import Pieces

_PLAIN = MiB  # bytes of disk written at once


def run(job: Job) -> int:
    """The bytes of disk. Blocking; raises the first Fault. A resume keeps only blocks that were written whole."""
    size = job.plan.facts.size
    assert size is not None
    reader = job.reader()
    index = XzBlockReader(reader.read_at, size)
    assert index.plain_size is not None, "planned only with an index"
    if index.plain_size > job.limit:
        raise Fault("DecompressionBomb", source=job.source.name, limit=job.limit)

    def missing() -> Iterator[XzBlock]:
        for block in index.blocks:
            if any(job.kept.ranges.missing(block.plain_offset, block.plain_offset + block.plain_length)):
                yield block

    def write(block: XzBlock, buffer: memoryview) -> None:
        packed, plain = buffer[:MiB], buffer[MiB:]
        units = reader.units(block.offset, block.length, packed)
        decoder = index.open_block(block, _pull(units))
        position = block.plain_offset
        while count := fill(decoder.readinto, plain):
            job.sink.write(position, plain[:count])
            position += count
        job.wrote(block.plain_offset, block.plain_length)

    job.progress.expect(
        size, kept=sum(block.length for block in index.blocks) - sum(block.length for block in missing())
    )
    Pieces(job, missing(), write, MiB + _PLAIN).run()
    return index.plain_size


def _pull(units: Iterator[memoryview]) -> Callable[[memoryview], int]:
    """The views of ``units`` as a ``readinto``."""
    view = memoryview(b"")

    def readinto(buffer: memoryview) -> int:
        nonlocal view
        if not view:
            view = next(units, memoryview(b""))
        count = min(len(view), len(buffer))
        buffer[:count] = view[:count]
        view = view[count:]
        return count

    return readinto
