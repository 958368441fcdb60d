"""A raw disk that others push, extent by extent, in any order and from several threads.

What is in no extent is zero. A process that is killed loses nothing that was written: whoever pushes asks what is
``kept``, and pushes the rest.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from cdi.base.faults import Exit, Fault
from importer.fetch.rangeset import RangeSet
from importer.plan import Plan, Resumes, Route
from importer.progress import Progress, Stage
from importer.routes.disk import Disk, publish
from importer.sources import Facts
from importer.target import Target

_PAGE = 4096


@dataclass(frozen=True, slots=True)
class Pushed:
    """What will come. ``name``: for messages. ``size``: bytes of disk, at least 1. ``version``: another one for other
    bytes; only of the same is anything kept. ``is_file``: its last bytes may be the footer of a fixed VHD, which is no
    part of the disk."""

    name: str
    size: int
    version: str
    is_file: bool = False

    def plan(self) -> Plan:
        seen, etag = not self.is_file, f'"{self.version}"'
        facts = Facts(self.name, self.size, ranges=seen, etag=etag, head=b"", resource=self.name)
        route = Route.STREAM if self.is_file else Route.SCATTER
        return Plan(facts, (), "raw", self.size, route, Resumes.ANYWHERE, granule=_PAGE, declared=seen)


class PushedDisk:
    """Holds the target from its making until ``close``. Raises Fault, as all that writes to a target does."""

    def __init__(self, target: Target, pushed: Pushed, progress: Progress) -> None:
        plan = pushed.plan()
        target.check_fits(plan)
        self._target, self._pushed, self._progress = target, pushed, progress
        self._size = pushed.size
        self._site = target.prepare(plan, None)
        self._disk = Disk(progress=progress, sink=self._site.sink, journal=self._site.journal, kept=self._site.kept)
        self._came = RangeSet(self.kept)
        self._counting = threading.Lock()  # guards _came
        self._checkpointing = threading.Lock()
        progress.enter(Stage.FETCHING)
        progress.expect(pushed.size, kept=self.kept.total)

    @property
    def kept(self) -> RangeSet:
        """Of the disk, from an earlier process or an earlier attempt."""
        return self._site.kept.ranges

    @property
    def head(self) -> int:
        """So many bytes at the start of the disk are kept by nobody but this process."""
        return self._site.kept.head

    @property
    def size(self) -> int:
        """Bytes that are pushed; what is published may be larger."""
        return self._size

    def ends_at(self, size: int) -> None:
        """What was a file's last bytes is behind the disk."""
        self._size = size

    def flush(self) -> None:
        """What was written survives a power cut. Blocking. One thread at a time."""
        with self._checkpointing:
            self._progress.durable = self._site.journal.durable(self._site.sink.sync)

    def write(self, offset: int, data: memoryview) -> None:
        """From any thread; the kernel has it when this returns. ``offset`` is a multiple of 4 KiB, and so is what ends
        before the disk does."""
        end = offset + len(data)
        if offset % _PAGE or (end % _PAGE and end != self._size) or end > self._size:
            raise Fault("UploadMalformed", cause=f"{len(data)} bytes at {offset} are no extent of whole pages")
        self._disk.write(offset, data)
        with self._counting:
            self._came.add(offset, end)
        self._progress.fetched(len(data))
        if self._checkpointing.acquire(blocking=False):
            try:
                self._disk.checkpoint_if_due()
            finally:
                self._checkpointing.release()

    def publish(self) -> int:
        """Everything has come: what has not is zero. Bytes of the published disk. No thread writes any more."""
        size = self._size
        for start, end in self._came.missing(0, size):
            self._disk.zero(start, end - start)
        self._progress.enter(Stage.VERIFYING)
        self._disk.prove(self._pushed.name, size)
        final = publish(self._site, self._target, size, self._progress)
        self._progress.enter(Stage.DONE)
        return final

    def fail(self, fault: Fault) -> None:
        """Nothing stays of bytes that are wrong."""
        if fault.entry.exit is Exit.INTEGRITY or fault.code == "SourceChanged":
            self._site.destroy()

    def destroy(self) -> None:
        """Nothing stays. Never raises."""
        self._site.destroy()

    def close(self) -> None:
        """What was written stays for whoever goes on, unless it was published. No thread writes any more."""
        self._site.close()
