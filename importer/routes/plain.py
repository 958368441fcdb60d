"""The plain bytes of a stream: hashed as received, decompressed, bounded."""

from __future__ import annotations

import math
from typing import Protocol

from cdi.base.faults import Fault
from cdi.base.units import GiB, MiB
from importer.checksum import Hasher
from importer.decode import Decoder, ReadInto
from importer.fetch.stream import Stream
from importer.plan import FOOTER_SIZE, Plan, Route
from importer.sources import Source

_FREE_OF_RATIO = GiB  # plain bytes before the ratio is looked at: small files of zeros pack better than 1000x
_RATIO = 1000


class PlainSource(Protocol):
    """What a plain stream is made from: a ``Job``, or less when there is no disk (an archive)."""

    plan: Plan
    source: Source
    limit: int  # plain bytes that the target may hold
    hasher: Hasher | None

    def stream(self, start: int = 0, end: int | None = None) -> Stream: ...


class PlainStream:
    """``readinto`` gives plain bytes; everything that the route may know about where they came from.

    ``start``: (transferred offset, plain offset) where to begin: a member or frame boundary, or equal offsets of an
    uncompressed stream. ``end``: fetch no transferred byte behind it. Raises TargetOutgrown past the bytes that a
    disk of ``job.limit`` bytes can need.
    """

    def __init__(self, job: PlainSource, start: tuple[int, int] = (0, 0), end: int | None = None) -> None:
        self._job = job
        self._start = start
        self._limit = _plain_limit(job)
        self._stream: Stream = job.stream(start[0], end)
        self.position = start[1]  # plain bytes given, counted from the start of the whole
        self._taken = 0
        read: ReadInto = self._take
        self._decoders: list[Decoder] = []
        for kind in job.plan.compression:
            from importer.decode.registry import open_decoder

            decoder = open_decoder(kind, read)
            self._decoders.append(decoder)
            read = decoder.readinto
        self._read = read

    def _take(self, buffer: memoryview) -> int:
        count = self._stream.readinto(buffer)
        if self._job.hasher is not None:
            self._job.hasher.update(buffer[:count])
        self._taken += count
        return count

    def readinto(self, buffer: memoryview) -> int:
        count = self._decoded(buffer)
        self.position += count
        outgrown = self.position > self._limit
        if self._looks_like_a_bomb(0 if outgrown else _FREE_OF_RATIO):
            raise Fault("DecompressionBomb", source=self._job.source.name, limit=self.position, taken=self._taken)
        if outgrown:
            raise outgrown_target(self._job.source.name, self._job.limit)
        return count

    def _decoded(self, buffer: memoryview) -> int:
        coding = self._job.plan.facts.coding
        try:
            return self._read(buffer)
        except Fault as fault:
            if coding and fault.code == "CompressedTruncated":  # packed on the way: the file may be whole
                name = self._job.source.name
                raise Fault("SourceTruncated", source=name, got=self._taken, expected=f"all {coding}") from fault
            raise

    def _looks_like_a_bomb(self, free: int) -> bool:
        plain = self.position - self._start[1]
        return bool(self._decoders) and plain > free and plain > _RATIO * self._taken

    def boundary(self) -> tuple[int, int] | None:
        """(transferred, plain) offsets from where a new process could go on; only one compression can tell."""
        if len(self._decoders) != 1 or (found := self._decoders[0].boundary()) is None:
            return None
        return self._start[0] + found[0], self._start[1] + found[1]

    def drain(self) -> None:
        """Take what is left of the transfer, so that a checksum covers every byte and trailing data is noticed."""
        scratch = memoryview(bytearray(64 * 1024))
        while self._decoded(scratch):
            pass

    def close(self) -> None:
        self._stream.close()


def outgrown_target(source: str, limit: int) -> Fault:
    return Fault(
        "TargetOutgrown",
        # Contract text, without the size that nobody knows: controllers look for the middle of it.
        contract=f"virtual image size is larger than the reported available storage {limit}. A larger PVC is required",
        source=source,
        limit=f"{limit:,}",
    )


def _plain_limit(job: PlainSource) -> float:
    """Plain bytes after which the stream is refused. Those of an image are not those of its disk."""
    match job.plan.route:
        case Route.PLACE | Route.ARCHIVE:
            return math.inf  # old snapshots and tar headers go nowhere; what is written is limited where it is written
        case Route.SPOOL:
            return job.limit + job.limit // 8 + 64 * MiB  # tables, alignment, logs
        case _:
            return job.limit + FOOTER_SIZE
