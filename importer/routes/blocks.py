"""BLOCKS: the blocks of an xz file by range, decoded side by side (liblzma releases the GIL) and written in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import chain

from cdi.base.units import MiB
from importer.decode.xz import DICTIONARY_LIMIT
from importer.decode.xz_blocks import XzBlock, XzBlockReader
from importer.decode.xz_format import Malformed, dictionary_of
from importer.fetch.governor import Limits
from importer.fetch.reader import RangeReader
from importer.fetch.stream import fill
from importer.formats.ending import disk_in
from importer.plan import FOOTER_SIZE
from importer.routes.budget import Budget
from importer.routes.job import Job
from importer.routes.pieces import Pieces
from importer.routes.plain import outgrown_target
from importer.target import too_small

_PLAIN = MiB  # bytes of disk written at once
_PAGE = 4096  # the last write of a block may be so much longer: then all of a footer is in it
_HEADER_MOST = 1024  # bytes of a block's header
_DICTIONARIES = 192 * MiB  # of all decoders together: a worker may have 600 MB


def run(job: Job) -> int:
    """The bytes of disk. Blocking; raises the first Fault. A resume keeps only blocks that were written whole."""
    size = job.plan.facts.size
    assert size is not None
    reader = job.reader()
    index = XzBlockReader(reader.read_at, size)
    assert index.plain_size is not None, "planned only with an index"
    if index.plain_size - FOOTER_SIZE > job.limit:
        raise too_small(index.plain_size, job.limit)

    def missing() -> Iterator[XzBlock]:
        for block in index.blocks:
            if any(job.kept.ranges.missing(block.plain_offset, block.plain_offset + block.plain_length)):
                yield block

    blocks = _Blocks(job, index, reader, index.plain_size)
    first = _dictionary(job.plan.facts.head[index.blocks[0].offset :])
    largest = max(block.plain_length for block in index.blocks)
    job = replace(job, connections=_fitting(job.connections, min(first, largest)))
    job.progress.expect(
        size, kept=sum(block.length for block in index.blocks) - sum(block.length for block in missing())
    )
    Pieces(job, missing(), blocks.write, MiB + _PLAIN + _PAGE).run()
    return blocks.disk_size


class _Blocks:
    """``disk_size``: what is plain, until the last block is seen to end in the footer of a fixed VHD."""

    def __init__(self, job: Job, index: XzBlockReader, reader: RangeReader, plain_size: int) -> None:
        self._job = job
        self._index = index
        self._reader = reader
        self._plain_size = plain_size
        self._memory = Budget(_DICTIONARIES)
        self.disk_size = plain_size

    def write(self, block: XzBlock, buffer: memoryview) -> None:
        packed, plain = buffer[:MiB], buffer[MiB:]
        units = self._reader.units(block.offset, block.length, packed)
        first = next(units)
        position, end = block.plain_offset, block.plain_offset + block.plain_length
        # Of several files in one the first tells nothing about the others.
        with self._memory.holding(min(_dictionary(bytes(first[:_HEADER_MOST])), block.plain_length)):
            decoder = self._index.open_block(block, _pull(chain((first,), units)))
            while count := fill(decoder.readinto, plain[: _step(end - position)]):
                if position + count == self._plain_size:
                    self._see_the_end(plain[:count])
                self._job.sink.write(position, plain[: max(0, min(count, self.disk_size - position))])
                position += count
        self._job.wrote(block.plain_offset, max(0, min(end, self.disk_size) - block.plain_offset))

    def _see_the_end(self, last: memoryview) -> None:
        self.disk_size = disk_in(bytes(last[-FOOTER_SIZE:]), self._plain_size)
        if self.disk_size > self._job.limit:
            raise outgrown_target(self._job.source.name, self._job.limit)


def _step(left: int) -> int:
    """Bytes to ask for while ``left`` are to come. More than none at the end: there the decoder verifies the block."""
    return left if 0 < left <= _PLAIN + _PAGE else _PLAIN


def _fitting(connections: Limits, needed: int) -> Limits:
    """So many that their decoders keep within their memory, of which each needs so much."""
    most = min(connections.most, max(1, _DICTIONARIES // max(1, needed)))
    return replace(connections, least=min(connections.least, most), most=most)


def _dictionary(header: bytes) -> int:
    """Bytes of dictionary of the block with this ``header``, 64 MiB with ``xz -9``; as much of it is used as the block
    is large. The most that there may be where it is not understood: the decoder will say why."""
    try:
        return min(dictionary_of(header) or DICTIONARY_LIMIT, DICTIONARY_LIMIT)
    except (Malformed, IndexError):
        return DICTIONARY_LIMIT


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
