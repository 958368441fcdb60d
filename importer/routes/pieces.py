"""Running many independent pieces of a transfer on 2 to 8 connections: shared by the routes that need no order."""

from __future__ import annotations

import contextlib
import mmap
import threading
import time
from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from importer.fetch.crew import Crew
from importer.fetch.governor import Governor
from importer.routes.job import Job

Piece = TypeVar("Piece")


class Pieces(Generic[Piece]):
    """Hands pieces to workers until there are no more; ``handle(piece, buffer)`` runs in several threads.

    Every worker owns one page-aligned buffer of ``buffer_size`` bytes. Pieces are made one at a time under a lock, so
    their generator may be lazy and may itself read tables from the source.
    """

    def __init__(
        self, job: Job, pieces: Iterator[Piece], handle: Callable[[Piece, memoryview], None], buffer_size: int
    ) -> None:
        self._job = job
        self._pieces = pieces
        self._handle = handle
        self._buffer_size = buffer_size
        self._lock = threading.Lock()  # one piece is made at a time
        self._exhausted = False
        self._counting = threading.Lock()  # not held while a piece is made, which may take a request
        self._members = 0  # workers that take another piece; not Crew.size, which learns of a leaver only later
        self._crew = Crew()
        self._governor = Governor(job.connections, time.monotonic())

    def run(self) -> None:
        """Blocking. Raises the first Fault, after all workers have stopped: the sink's descriptor is closed next, and
        its number may be another file's by the time a late one writes."""
        try:
            self._oversee()
        except BaseException:
            self._job.cancel.request()
            self._crew.end()
            raise
        if self._crew.failed:
            self._job.cancel.request()  # wakes workers from back-off and blocked reads: they end as Cancelled
        self._crew.join()

    def _oversee(self) -> None:
        while True:
            self._staff()
            if self._crew.wait(0.1):
                break
            self._job.checkpoint_if_due()

    def _staff(self) -> None:
        wanted = self._governor.sample(self._job.progress.bytes_fetched, time.monotonic())
        while not self._exhausted and not self._crew.failed and self._joins(wanted):
            self._crew.start("fetch", self._work)

    def _joins(self, wanted: int) -> bool:
        with self._counting:
            joins = self._members < wanted
            self._members += joins
            return joins

    def _leaves(self) -> bool:
        """Whether the caller is one too many. Counted at once, so that of several only as many leave as shall: with
        nobody left, the pieces that are left would never be done."""
        with self._counting:
            leaves = self._members > max(1, self._governor.connections)
            self._members -= leaves
            return leaves

    def _work(self) -> None:
        area = mmap.mmap(-1, self._buffer_size)
        with contextlib.suppress(OSError):  # a kernel without them
            area.madvise(mmap.MADV_HUGEPAGE)  # 5 % less CPU for a plain import: a direct write pins one page, not 512
        buffer = memoryview(area)
        while (piece := self._take()) is not None:
            self._handle(piece, buffer)

    def _take(self) -> Piece | None:
        with self._lock:
            if self._exhausted or self._crew.failed or self._leaves():
                return None
            self._job.cancel.check(self._job.progress.bytes_fetched)
            piece = next(self._pieces, None)
            self._exhausted = piece is None
            return piece
