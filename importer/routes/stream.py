"""STREAM: a raw disk in order, decompressed on the way, written as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB, round_up
from importer.fetch.stream import fill
from importer.formats.ending import disk_in
from importer.plan import FOOTER_SIZE, Resumes
from importer.routes.job import Job
from importer.routes.plain import PlainStream, outgrown_target
from importer.routes.writer import Boundary, Filled, Writer

_BUFFER = MiB
_PAGE = 4096
_OVERHEAD = 64 * KiB  # a packed head is at most this much longer than the plain one, as the usual tools make it


def run(job: Job) -> int:
    """Write the stream to the sink; the bytes of disk it held. Blocking; raises the first Fault."""
    start = _where_to_start(job)
    if start[1]:
        _make_head_again(job)
        _hash_kept_prefix(job, start[1])
    job.progress.expect(job.plan.facts.size, kept=start[0])
    plain = PlainStream(job, start)
    writer = Writer(lambda filled: _write(job, filled), _BUFFER)
    try:
        begin = start[1] + fill(plain.readinto, memoryview(bytearray(round_up(start[1], _PAGE) - start[1])))
        size = _Filler(plain, writer, begin, ending=_whole if job.plan.declared else disk_in).run(job)
    except BaseException:
        plain.close()
        writer.abandon()
        raise
    plain.close()
    writer.close()
    if size > job.limit:
        raise outgrown_target(job.source.name, job.limit)
    return size


def _where_to_start(job: Job) -> tuple[int, int]:
    """(transferred, plain) offsets that the kept part of an earlier process allows; (0, 0) for a fresh start."""
    if job.plan.resumes is Resumes.PREFIX:
        prefix = job.kept.ranges.reach(job.kept.head) // _PAGE * _PAGE
        return (prefix, prefix) if prefix > job.kept.head else (0, 0)
    frame = job.kept.frame
    if job.plan.resumes is not Resumes.FRAME or frame is None:
        return 0, 0
    # Direct writes begin at pages. What is left of a page behind a frame was written with it, and is read over.
    return frame if job.kept.ranges.covers(frame[1], round_up(frame[1], _PAGE)) else (0, 0)


def _make_head_again(job: Job) -> None:
    """What a device's sink holds in memory until publication died with the earlier process: its first MiB."""
    head = memoryview(bytearray(job.kept.head))
    if not head:
        return
    try:
        length = _fill_from_the_start(job, head, len(head) + _OVERHEAD)
    except Fault as fault:
        if fault.code != "CompressedTruncated":
            raise
        length = _fill_from_the_start(job, head, None)  # packed by someone who likes headers
    job.write(0, head[:length])


def _fill_from_the_start(job: Job, head: memoryview, end: int | None) -> int:
    plain = PlainStream(replace(job, hasher=None), end=end)
    try:
        return fill(plain.readinto, head)
    finally:
        plain.close()


def _hash_kept_prefix(job: Job, length: int) -> None:
    if job.hasher is None:
        return
    for offset in range(0, length, _BUFFER):
        job.cancel.check(offset)
        job.hasher.update(job.sink.read(offset, min(_BUFFER, length - offset)))


class _Filler:
    """Fills buffers from the stream. The newest full buffer is held back until at least a footer follows it.
    ``ending(last, total)``: bytes of disk in ``total`` bytes that end in ``last``, a sector."""

    def __init__(self, plain: PlainStream, writer: Writer, offset: int, ending: Callable[[bytes, int], int]) -> None:
        self._plain = plain
        self._writer = writer
        self._offset = offset
        self._ending = ending
        self._held: Filled | None = None

    def run(self, job: Job) -> int:
        while True:
            buffer = self._writer.take()
            length = fill(self._plain.readinto, buffer)
            if length < len(buffer):
                return self._finish(buffer, length)
            self._submit_held()
            self._held = Filled(self._offset, buffer, length, self._plain.boundary())
            self._offset += length
            job.checkpoint_if_due()

    def _submit_held(self) -> None:
        if self._held is not None:
            self._writer.submit(self._held)
            self._held = None

    def _finish(self, buffer: memoryview, length: int) -> int:
        """The end is known: cut a fixed VHD's footer off, then write what was held."""
        total = self._offset + length
        before = bytes(self._held.buffer[-FOOTER_SIZE:]) if self._held else b""
        size = self._ending((before + bytes(buffer[:length]))[-FOOTER_SIZE:], total)
        if self._held is not None:
            keep = min(self._held.length, max(0, size - self._held.offset))
            self._held = self._held._replace(length=keep, boundary=_far_from(total, self._held.boundary))
            self._submit_held()
        if size > self._offset:
            self._writer.submit(Filled(self._offset, buffer, size - self._offset, None))
        return size


def _whole(_last: bytes, total: int) -> int:
    return total


def _far_from(end: int, boundary: Boundary) -> Boundary:
    """A place from where a new process meets all of what may be a footer, the rest of a page being read over."""
    return boundary if boundary is not None and boundary[1] + _PAGE + FOOTER_SIZE <= end else None


def _write(job: Job, filled: Filled) -> None:
    job.sink.write(filled.offset, filled.buffer[: filled.length])
    job.wrote(filled.offset, filled.length)
    if filled.boundary is not None and filled.boundary != job.kept.frame:
        job.journal.frame(*filled.boundary)
