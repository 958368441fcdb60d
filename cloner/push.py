"""Sends what of a disk is data to an upload server, over several connections, and goes on after either end died."""

from __future__ import annotations

import mmap
import threading
import time
from collections.abc import Iterator

from cdi.base.units import MiB
from cdi.base.wire.cloning import Begin, Begun
from cdi.base.wire.extents.encoder import Encoder
from cloner.packing import Packing
from cloner.patience import PATIENCE_S, persist
from cloner.server import Connection, Server
from cloner.source import PIECE, SourceDisk
from importer.cancel import Cancel
from importer.fetch.crew import Crew
from importer.fetch.rangeset import RangeSet
from importer.progress import Progress, Stage
from importer.sinks.zeroes import nonzero_runs

CONNECTIONS = 4
_BATCH, _BATCH_S = 64 * MiB, 5.0  # what one request acknowledges
_SILENCE_S = 15.0  # the server ends a session that it hears nothing of


class Push:
    """One clone of ``disk``. ``run`` is for one thread."""

    def __init__(self, server: Server, disk: SourceDisk, progress: Progress, cancel: Cancel) -> None:
        self._server, self._disk, self._progress, self._cancel = server, disk, progress, cancel
        self._zeroes = RangeSet()  # found by reading: not read again after a lost connection
        self.sent = 0  # bytes of bodies, in all attempts

    def run(self, patience_s: float = PATIENCE_S) -> None:
        """Blocking, until the target has all of it and has published the disk. Raises Fault."""
        persist(self._attempt, lambda: self.sent, self._server.name, self._cancel, patience_s)

    def _attempt(self) -> None:
        cancel = Cancel.following(self._cancel)
        first = Connection(self._server, cancel)
        cancel.on_request(first.interrupt)
        try:
            self._progress.enter(Stage.PROBING)
            first.connect()
            begun = first.begin(Begin(self._disk.size, self._disk.version))
            session = _Session(begun, self._disk, self._zeroes, self._progress, cancel)
            self._progress.start_again()
            self._progress.expect(self._disk.size, kept=session.kept.total)
            self._progress.enter(Stage.FETCHING)
            try:
                session.push(self._server)
            finally:
                self.sent += session.sent
            self._disk.check_unchanged()
            self._progress.enter(Stage.FLUSHING)
            first.finish(begun.session, session.count)
            self._progress.enter(Stage.DONE)
        finally:
            first.close()


class _Session:
    """What is left to send, shared by the threads of its connections."""

    def __init__(self, begun: Begun, disk: SourceDisk, zeroes: RangeSet, progress: Progress, cancel: Cancel) -> None:
        self.kept = RangeSet(begun.kept)
        self._id, self._disk, self._progress, self._cancel = begun.session, disk, progress, cancel
        self._lock = threading.Lock()  # guards all below
        self._zeroes = zeroes
        known = RangeSet(self.kept)
        known.update(zeroes)
        self._pieces = disk.pieces(known)
        self._reached = 0
        self.count = self.sent = 0  # acknowledged bytes of data; bytes of bodies

    def push(self, server: Server) -> None:
        """Blocking; raises the first error, after all threads have ended."""
        crew = Crew()
        for _ in range(CONNECTIONS):
            crew.start("push", lambda: self._work(server))
        while not crew.wait(1.0):
            """They work."""
        if crew.failed:
            self._cancel.request()
        crew.join()
        self._progress.spare(max(0, self._disk.size - self._reached - self.kept.total))

    def _work(self, server: Server) -> None:
        connection = Connection(server, self._cancel)
        self._cancel.on_request(connection.interrupt)
        try:
            _Sender(self, connection).run()
        finally:
            connection.close()
            with self._lock:
                self.sent += connection.sent

    def take(self) -> tuple[int, int] | None:
        with self._lock:
            self._cancel.check(self.sent)
            return next(self._pieces, None)

    def read(self, start: int, buffer: memoryview) -> Iterator[tuple[int, int]]:
        """(start in the buffer, length) of what is not zero."""
        self._disk.read(start, buffer)
        runs = list(nonzero_runs(buffer, base=start))
        self._progress.fetched(len(buffer))
        with self._lock:
            self._reached += len(buffer)
            if not runs:
                self._zeroes.add(start, start + len(buffer))
        return iter(runs)

    def acknowledged(self, count: int) -> None:
        with self._lock:
            self.count += count

    @property
    def id(self) -> str:
        return self._id

    @property
    def size(self) -> int:
        return self._disk.size


class _Sender:
    """One connection, and its thread: takes pieces, sends what of them is data, and hears that it was taken."""

    def __init__(self, session: _Session, connection: Connection) -> None:
        self._session, self._connection = session, connection
        self._packing = Packing()
        self._buffer = memoryview(mmap.mmap(-1, PIECE))
        self._encoder: Encoder | None = None  # of the batch that is open
        self._began_s = self._last_s = time.monotonic()
        self._busy_s = 0.0  # that the link took for it
        self._sent = 0

    def run(self) -> None:
        """Raises Away, Finished, Fault."""
        self._connection.connect()
        while (piece := self._session.take()) is not None:
            start, end = piece
            buffer = self._buffer[: end - start]
            for at, length in self._session.read(start, buffer):
                self._send(start + at, buffer[at : at + length])
            self._end_if_due()
        if self._encoder is not None:
            self._end(self._encoder)

    def _send(self, offset: int, data: memoryview) -> None:
        encoder = self._encoder or self._begin()
        header, payload = encoder.extent(offset, data)
        began_s = time.monotonic()
        self._connection.send(header, payload)
        self._busy_s += time.monotonic() - began_s

    def _begin(self) -> Encoder:
        self._encoder = Encoder(self._session.size, compress=self._packing.compress)
        self._began_s, self._busy_s, self._sent = time.monotonic(), 0.0, self._connection.sent
        self._connection.open_stream(self._session.id)
        self._connection.send(self._encoder.head())
        return self._encoder

    def _end_if_due(self) -> None:
        now_s = time.monotonic()
        if self._encoder is None:
            if now_s - self._last_s > _SILENCE_S:
                self._end(self._begin())
        elif self._encoder.mark.count >= _BATCH or now_s - self._began_s > _BATCH_S:
            self._end(self._encoder)

    def _end(self, encoder: Encoder) -> None:
        began_s = time.monotonic()
        self._connection.send(encoder.end())
        self._connection.close_body()
        self._last_s = time.monotonic()
        self._busy_s += self._last_s - began_s
        self._session.acknowledged(encoder.mark.count)
        self._packing.learn(encoder.mark.count, self._connection.sent - self._sent, self._busy_s)
        self._encoder = None
