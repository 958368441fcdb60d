"""One session: a file that comes in several requests, over connections that may be lost."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination
from cdi.base.wire.upload import UPLOADED
from importer.progress import Progress
from importer.sinks.identity import boot_id
from importer.target import Target
from uploadproxy.server.answer import REFUSALS, Answer, failed
from uploadproxy.server.attempt import Volume
from uploadproxy.server.beginning import Beginning, is_raw
from uploadproxy.server.receiving import ReadInto, Receiver
from uploadproxy.server.slot import Slot, Take

if TYPE_CHECKING:  # what a plain upload does without costs 2 MiB
    from importer.pushed import PushedDisk
    from uploadproxy.server.record import Record, Remembered

log = logging.getLogger("uploadserver")

_NAME = "the upload"
_STEP_S = 0.5
KILLED = "the process that took it was ended, and what it had in memory is lost"
DISPLACED = "another upload took the volume while nothing came for this one"


class Refused(Exception):
    """``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer


@dataclass(frozen=True, slots=True)
class Place:
    """What all sessions of a server share. ``ends``: time.time() after which none is valid."""

    volume: Volume
    slot: Slot
    progress: Progress
    archive: bool
    ends: float

    def target(self) -> Target:
        return self.volume.target(self.archive)


class Session:
    """Requests take turns: a later one ends the one that runs. ``why_again``: why it is at byte 0 once more."""

    def __init__(self, place: Place, hashed: str, length: int | None, *, sparse: bool) -> None:
        self._place = place
        self.hashed, self.length, self.sparse = hashed, length, sparse
        self.why_again = ""
        self.failure: Answer | None = None
        self.is_over = self.is_finishing = False
        self.used_s = time.monotonic()
        self._receiver: Receiver | None = None
        self._beginning = Beginning()
        self._left: Remembered | None = None  # by another process
        self._record: Record | None = None
        self._turn = threading.Condition()
        self._is_busy = False  # guarded by _turn, as is:
        self._interrupt: Callable[[], None] | None = None

    @staticmethod
    def restored(place: Place, left: Remembered) -> Session:
        """Of another process."""
        session = Session(place, left.hashed, left.length, sparse=left.kind == "sparse")
        if left.kind == "other":
            session.why_again = KILLED
        else:
            session._left = left
            place.slot.park(session)
        return session

    @property
    def offset(self) -> int:
        return self._beginning.offset if self._receiver is None else self._receiver.offset

    @property
    def is_running(self) -> bool:
        return self._is_busy

    @contextmanager
    def turn(self, interrupt: Callable[[], None] = lambda: None) -> Iterator[None]:
        """Blocking, until the request that runs has ended. ``interrupt``: ends this one."""
        with self._turn:
            while self._is_busy:
                if self._interrupt is not None:
                    self._interrupt()
                self._turn.wait(_STEP_S)
            self._is_busy, self._interrupt = True, interrupt
        try:
            yield
        finally:
            with self._turn:
                self._is_busy, self._interrupt = False, None
                self.used_s = time.monotonic()
                self._turn.notify_all()

    def look(self) -> None:
        """``offset`` is what the volume has, inside a turn. Raises Refused."""
        if self._left is not None:
            with self._taken():
                self._restore()

    def take(self, readinto: ReadInto, afterwards: ExitStack) -> None:
        """The body of a request, inside a turn; when it was the last one, the disk is published. ``afterwards`` is left
        when the client has been told. Raises Refused, Cut."""
        self.look()
        try:
            with self._taken():
                self._receive(readinto)
                self.why_again = ""
                if self.offset != self.length:
                    return
                self.is_finishing = True
                said = self._finish()
                self.is_over = True
                self._place.slot.finish()
                afterwards.callback(self._place.slot.end, said)
        except Fault as fault:
            raise Refused(self._fail(fault, afterwards)) from fault

    @contextmanager
    def _taken(self) -> Iterator[None]:
        """The slot, which waits for this session's next request afterwards. After a Fault it is still taken."""
        slot = self._place.slot
        taken = slot.take(self._stop, self)
        if taken is not Take.TAKEN:
            raise Refused(REFUSALS[taken])
        try:
            yield
        except Fault:
            raise
        except BaseException:
            slot.park(self)
            raise
        if not self.is_over:
            slot.park(self)

    def _receive(self, readinto: ReadInto) -> None:
        if self._receiver is None:
            self._place.progress.start_again()
            if self.sparse and not self._place.archive:
                from uploadproxy.server.sparse import SparseReceiver

                self._receiver = SparseReceiver(self._opened)
            else:
                whole = self._beginning.take(readinto, self.length)
                if not whole:
                    return
                self._decide()
        assert self._receiver is not None
        self._receiver.take(readinto)

    def _decide(self) -> None:
        """What the file's beginning says."""
        head = self._beginning.bytes
        target = self._place.target()
        if self.length is not None and is_raw(head, self.length, archive=self._place.archive):
            from uploadproxy.server.raw import RawReceiver

            self._receiver = RawReceiver(*self._opened(self.length), goes_on=False)
            self._receiver.take(Beginning.given(head))
            return
        from uploadproxy.server.piped import PipedReceiver

        if not self._place.archive:
            self._remember("other", 0)
        self._receiver = PipedReceiver(target, head, self.length, self._place.progress)

    def _opened(self, size: int) -> tuple[PushedDisk, Record]:
        """Of ``size`` bytes."""
        from importer.pushed import Pushed, PushedDisk
        from uploadproxy.server.record import Record

        pushed = Pushed(_NAME, size, self.hashed, is_file=not self.sparse)
        disk = PushedDisk(self._place.target(), pushed, self._place.progress)
        if self._left is None:
            return disk, self._remember("sparse" if self.sparse else "raw", size)
        self._record = Record(self._place.target().session_path())
        self._record.read()
        return disk, self._record

    def _remember(self, kind: str, size: int) -> Record:
        from uploadproxy.server.record import Record, Remembered

        self._record = Record(self._place.target().session_path())
        self._record.begin(Remembered(self.hashed, kind, self.length, size, self._place.ends, boot_id()))
        return self._record

    def _restore(self) -> None:
        left = self._left
        assert left is not None
        self._place.progress.start_again()
        try:
            self._receiver = self._restored(left)
        except Fault as fault:
            log.warning("what was written of a session is of no use: %s", fault.message)
        self._left = None
        if self._receiver is None:
            self.why_again = KILLED

    def _restored(self, left: Remembered) -> Receiver | None:
        """None where too little is left."""
        from cdi.base.wire.extents.frames import START
        from uploadproxy.server.raw import RawReceiver, destroy
        from uploadproxy.server.sparse import SparseReceiver

        if left.kind == "raw":
            return RawReceiver(*self._opened(left.size), goes_on=True)
        mark = left.trusted
        if mark == START:
            if left.size:
                destroy(*self._opened(left.size))  # what was written may not be of the stream that comes now
            return None
        disk, record = self._opened(left.size)
        if disk.kept.total + disk.head < mark.count or len(record.head(disk.head)) < min(disk.head, mark.reached):
            destroy(disk, record)
            return None
        return SparseReceiver(lambda _size: (disk, record), mark, left.size)

    def _finish(self) -> Termination:
        if self._receiver is None:
            self._decide()
        assert self._receiver is not None
        if self._record is not None:
            self._record.forget()  # before there is a disk: the next process must not go on with it
        notes = self._receiver.finish()
        applied = self._place.volume.preallocation and not self._place.archive
        done = self._place.progress.snapshot().bytes_done
        return Termination(UPLOADED, preallocation_applied=applied, bytes_done=done, notes=notes)

    def _fail(self, fault: Fault, afterwards: ExitStack) -> Answer:
        """Nothing of it stays."""
        answer = failed(fault)
        log.error("%s", answer.text)
        self.failure, self.is_finishing = answer, False
        self._destroy()
        if fault.code == "ScratchRequired":
            afterwards.callback(self._place.slot.end, fault)
        else:
            afterwards.enter_context(self._place.slot.free())
        return answer

    def _destroy(self) -> None:
        receiver, self._receiver, self._beginning, self._left = self._receiver, None, Beginning(), None
        if receiver is not None:
            receiver.destroy()
        if self._record is not None:
            with contextlib.suppress(Fault):
                self._record.forget()
            self._record = None  # all sessions of a volume have one: by now it may be another's

    def end(self) -> None:
        """By its client, or by time. Inside a turn."""
        with contextlib.suppress(Refused):
            self.look()  # what another process left goes too
        self.is_over = True
        self._destroy()
        self._place.slot.forget(self)

    def _stop(self) -> None:
        """The process is to end."""
        interrupt = self._interrupt
        if interrupt is not None:
            interrupt()
        receiver = self._receiver
        if receiver is not None:
            receiver.stop()

    def displace(self) -> None:
        with self.turn():
            self._forget_left()
            self._destroy()
            self.why_again = DISPLACED

    def _forget_left(self) -> None:
        if self._left is not None:
            from uploadproxy.server.record import Record

            with contextlib.suppress(Fault):
                Record(self._place.target().session_path()).forget()

    def leave(self) -> None:
        with self.turn():
            if self._receiver is not None:
                self._receiver.close()
                self._receiver = None
