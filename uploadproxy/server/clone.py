"""A clone that is being received: one session at a time, whose requests come over several connections.

It holds the slot and the target from its beginning. Its own thread closes both when the session is over, after the
last of its requests has ended.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from cdi.base.faults import Fault
from cdi.base.wire.clone import CLONED
from cdi.base.wire.cloning import ENDED, IDLE_S, KEPT_MOST, Begin, Begun
from cdi.base.wire.extents.decoder import Decoder, Extent, read_extents
from cdi.base.wire.extents.frames import Malformed
from cdi.base.wire.termination import Termination
from importer.progress import Progress
from importer.pushed import Pushed, PushedDisk
from uploadproxy.server.answer import REFUSALS, Answer, failed
from uploadproxy.server.attempt import Volume
from uploadproxy.server.slot import Slot, Take

log = logging.getLogger("uploadserver")

_NAME = "the source of the clone"
_ENDED = Answer(ENDED, "This session of a clone has ended. Try: begin another one, which goes on where this one was.")
_LOST = "the source counts {told:,} bytes that were acknowledged to it, and {count:,} came"


class Refused(Exception):
    """``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


class Clones:
    """All clones of one server, one after the other."""

    def __init__(self, volume: Volume, slot: Slot, progress: Progress) -> None:
        self._volume, self._slot, self._progress = volume, slot, progress
        self._lock = threading.Lock()  # held while one begins, which takes as long as the target does
        self._session: Session | None = None

    def begin(self, asked: Begin) -> Begun:
        """Whatever session there was is over. Blocking. Raises Refused."""
        with self._lock:
            if self._session is not None:
                self._session.stop()
                self._session.ended()
            session = Session(self._slot, self._progress, self._volume.preallocation)
            taken = self._slot.take(session.stop)
            if taken is not Take.TAKEN:
                raise Refused(REFUSALS[taken])
            self._progress.start_again()
            try:
                session.open(lambda: self._disk(asked))
            except Fault as fault:
                with self._slot.free():
                    log.error("%s", fault.message)
                    raise Refused(failed(fault)) from fault
            except BaseException:
                with self._slot.free():
                    raise
            self._session = session
            return session.begun()

    def _disk(self, asked: Begin) -> PushedDisk:
        return PushedDisk(self._volume.target(False), Pushed(_NAME, asked.size, asked.version), self._progress)

    def find(self, id: str) -> Session:
        """Raises Refused."""
        session = self._session
        if session is None or session.id != id:
            raise Refused(_ENDED)
        return session


class Session:
    """``stop`` may be called by a signal handler, everything else by threads of connections."""

    def __init__(self, slot: Slot, progress: Progress, preallocates: bool) -> None:
        self.id = os.urandom(16).hex()
        self._slot, self._progress, self._preallocates = slot, progress, preallocates
        self._disk: PushedDisk | None = None
        self._changed = threading.Condition()  # with a lock that a signal handler may take again
        # Guarded by _changed:
        self._requests: dict[object, Callable[[], None]] = {}  # how each of those that run is interrupted
        self._is_over = False
        self._outcome: Termination | None = None
        self._count = 0
        self._last_s = time.monotonic()
        self._thread = threading.Thread(target=self._run, name="clone", daemon=True)

    def open(self, disk: Callable[[], PushedDisk]) -> None:
        """Raises Fault; then there is no session."""
        self._disk = disk()
        log.info("a clone of %d bytes begins, %d of which are here", self._disk.size, self._disk.kept.total)
        self._last_s = time.monotonic()
        self._thread.start()

    def begun(self) -> Begun:
        assert self._disk is not None
        kept = sorted(self._disk.kept, key=lambda each: each[0] - each[1])[:KEPT_MOST]
        return Begun(self.id, tuple(sorted(kept)))

    def take(self, readinto: Callable[[memoryview], int], interrupt: Callable[[], None]) -> None:
        """All extents of one stream. Raises Refused, OSError (what was written of it stays)."""
        with self._request(interrupt) as disk:
            for extent in _extents(readinto, disk):
                disk.write(extent.offset, extent.data)
                with self._changed:
                    self._count += len(extent.data)
                    if self._is_over:
                        raise Refused(_ENDED)

    def finish(self, count: int) -> None:
        """The disk is published, and the slot is finished. Raises Refused."""
        with self._request(lambda: None) as disk:
            with self._changed:
                if len(self._requests) > 1 or count != self._count:
                    cause = _LOST.format(told=count, count=self._count)
                    raise Fault("UploadMalformed", cause=cause)
            disk.publish()
            self._slot.finish()
        done = self._progress.snapshot().bytes_done
        with self._changed:
            self._outcome = Termination(CLONED, preallocation_applied=self._preallocates, bytes_done=done)

    @contextmanager
    def _request(self, interrupt: Callable[[], None]) -> Iterator[PushedDisk]:
        me = object()
        with self._changed:
            if self._is_over or self._disk is None:
                raise Refused(_ENDED)
            self._requests[me] = interrupt
        try:
            yield self._disk
        except Fault as fault:
            log.error("%s", fault.message)
            self._disk.fail(fault)
            self.stop()
            raise Refused(failed(fault)) from fault
        finally:
            with self._changed:
                del self._requests[me]
                self._last_s = time.monotonic()
                self._changed.notify_all()

    def stop(self) -> None:
        """It is over soon. What was written stays."""
        with self._changed:
            self._is_over = True
            for interrupt in self._requests.values():
                interrupt()
            self._changed.notify_all()

    def ended(self) -> None:
        """Blocking, until nothing of it runs any more, and the target is closed."""
        self._thread.join()

    def _run(self) -> None:
        with self._changed:
            while not self._is_over:
                left_s = IDLE_S if self._requests else self._last_s + IDLE_S - time.monotonic()
                if left_s <= 0:
                    log.info("the source of the clone has been silent for %.0f s", IDLE_S)
                    self._is_over = True
                else:
                    self._changed.wait(left_s)
            self._changed.wait_for(lambda: not self._requests)
            outcome = self._outcome
        assert self._disk is not None
        self._disk.close()
        if outcome is not None:
            self._slot.end(outcome)
            return
        with self._slot.free():
            """Another one may begin."""


def _extents(readinto: Callable[[memoryview], int], disk: PushedDisk) -> Iterator[Extent]:
    try:
        yield from read_extents(Decoder(disk.size), readinto)
    except Malformed as error:
        raise Fault("UploadMalformed", cause=str(error)) from error
