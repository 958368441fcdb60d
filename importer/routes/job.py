"""What every route works on: the plan, the open source and sink, and where to report what was done."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from cdi.base.units import round_up
from importer.cancel import Cancel
from importer.checksum import Hasher
from importer.fetch.crew import Crew
from importer.fetch.governor import Limits
from importer.fetch.journal import Checkpointer, Journal, Kept
from importer.fetch.reader import RangeReader
from importer.fetch.retry import RetryPolicy
from importer.fetch.stream import OnceStream, OrderedStream, SingleStream, Stream
from importer.plan import Plan
from importer.progress import Progress
from importer.sinks import Sink
from importer.sources import Source


@dataclass
class Feed:
    """An open source and how to read it. ``limit``: plain bytes that the target may hold. ``received``: told, perhaps
    more than once, that nothing more is needed of the source."""

    plan: Plan
    source: Source
    progress: Progress
    cancel: Cancel
    limit: int
    retry: RetryPolicy
    connections: Limits
    hasher: Hasher | None
    received: Callable[[], None] = lambda: None
    crews: list[Crew] = field(default_factory=list)  # of streams, which may be closed before their threads end

    @contextmanager
    def alone_afterwards(self) -> Iterator[None]:
        """No thread of this attempt is left when this is left, however long storage or a server makes it wait: what a
        late one writes would be in the next attempt's disk, and its descriptors' numbers may be other files' by then.
        """
        try:
            yield
        finally:
            self.cancel.request()
            for crew in self.crews:
                crew.end()

    def reader(self) -> RangeReader:
        return RangeReader(self.source, self.retry, self.cancel, self.progress.fetched, self.plan.facts.head)

    def stream(self, start: int = 0, end: int | None = None) -> Stream:
        """The transferred bytes [start, end) in order; without ranges all of them, from 0."""
        facts = self.plan.facts
        if facts.ranges and facts.size is not None:
            received = lambda: self.progress.bytes_fetched  # noqa: E731
            size = facts.size if end is None else min(end, facts.size)
            stream = OrderedStream(self.reader(), start, size, self.connections, received)
            self.crews.append(stream.crew)
            return stream
        if facts.once:
            return OnceStream(self.source, self.cancel, self.progress.fetched)
        return SingleStream(self.source, self.retry, self.cancel, self.progress.fetched)


@dataclass(kw_only=True)
class Job(Feed):
    """One disk being made. ``kept`` is what an earlier process left."""

    sink: Sink
    journal: Journal
    kept: Kept
    checkpointer: Checkpointer = field(default_factory=Checkpointer)
    disk_bytes: int = 0  # bytes of disk made in this process, zeros included

    def write(self, offset: int, data: memoryview) -> None:
        """Write and report. A piece that ends off the sink's alignment is the last of its image: zeros follow it."""
        rest = len(data) % self.sink.align
        if rest and offset + len(data) < self.sink.size:
            data = memoryview(bytes(data) + bytes(self.sink.align - rest))[: self.sink.size - offset]
        self.sink.write(offset, data)
        self.wrote(offset, len(data))

    def zero(self, offset: int, length: int) -> None:
        """Make a hole and report. One that begins off the sink's alignment follows a padded piece: see ``write``."""
        start, end = min(round_up(offset, self.sink.align), offset + length), offset + length
        if start < end:
            self.sink.zero(start, end - start)
        self.wrote(offset, length)

    def wrote(self, offset: int, length: int) -> None:
        """[offset, offset+length) of the disk is as it shall be. Called after the write, from any thread."""
        self.journal.written(offset, length)
        self.disk_bytes += length  # a lost update between threads only shifts a checkpoint

    def checkpoint_if_due(self) -> None:
        """Make what is written durable every 256 MiB or 10 s. One thread only."""
        if self.checkpointer.due(self.disk_bytes, time.monotonic()):
            self.progress.durable = self.journal.durable(self.sink.sync)
            if self.sink.stamp:
                record = self.journal.record(self.sink.stamp)
                self.sink.vouch(record)
                self.progress.record = record
