"""One disk being made: what is written is reported, made durable now and then, and proven before it is published."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from cdi.base.units import round_up
from importer.fetch.journal import Checkpointer, Journal, Kept
from importer.progress import Progress, Stage
from importer.sinks import Sink
from importer.target import Site, Target


@dataclass(kw_only=True)
class Disk:
    """``kept`` is what an earlier process left."""

    progress: Progress
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

    def prove(self, source: str, size: int) -> None:
        """All of the disk was written, and nothing else: there are ``size`` bytes, whatever was expected. ``source``:
        its name, for messages. Faults SourceChanged, DiskIncomplete."""
        if (reach := self.journal.reach) > size:
            # What was kept is of a longer disk: not this one, though the source says so.
            known = {"before": f"a disk of at least {reach:,} bytes", "after": f"one of {size:,}"}
            raise Fault("SourceChanged", source=source, **known)
        if gap := self.journal.gap(max(size, self.sink.size)):
            # No route may end like this. One that did, by a race of its threads, would publish a disk with a hole.
            raise Fault("DiskIncomplete", start=f"{gap[0]:,}", end=f"{gap[1]:,}")


def publish(site: Site, target: Target, size: int, progress: Progress) -> int:
    """Give the disk, which was proven, the size that was asked for and its name; that size."""
    progress.enter(Stage.FLUSHING)
    final = target.final_size(size, site.sink.block)
    site.sink.grow(final)
    target.check_name()  # while the journal is still there: whoever makes room for the disk fetches nothing again
    site.publish()
    return final
