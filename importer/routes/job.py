"""What every route works on: the plan, the open source and sink, and where to report what was done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from importer.cancel import Cancel
from importer.checksum import Hasher
from importer.fetch.crew import Crew
from importer.fetch.governor import Limits
from importer.fetch.reader import RangeReader
from importer.fetch.retry import RetryPolicy
from importer.fetch.stream import OnceStream, OrderedStream, SingleStream, Stream
from importer.plan import Plan
from importer.progress import Progress
from importer.routes.disk import Disk
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
class Job(Feed, Disk):
    """One disk being made of what a source gives."""
