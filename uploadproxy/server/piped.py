"""Any other format: the bytes of one request after the other are one stream for an import in a thread of its own."""

from __future__ import annotations

import threading

from cdi.base.defect import place_of
from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources.given import GivenSource
from importer.target import Target
from importer.transfer import Request, Result, run
from uploadproxy.server.receiving import Cut, ReadInto


class _Pipe:
    """``read`` is the import's, ``lend`` the requests'. The import reads a request's body itself: no byte is copied."""

    def __init__(self, head: bytes) -> None:
        self._head = memoryview(head)
        self.offset = len(head)
        self._changed = threading.Condition()
        # Guarded by _changed:
        self._lent: ReadInto | None = None
        self._cut: Cut | None = None
        self._has_ended = self._is_over = False

    def read(self, buffer: memoryview) -> int:
        if self._head:
            count = min(len(self._head), len(buffer))
            buffer[:count], self._head = self._head[:count], self._head[count:]
            return count
        while (lent := self._next()) is not None:
            try:
                count = lent(buffer)
            except Cut as cut:
                self._give_back(cut)
                continue
            if count:
                self.offset += count
                return count
            self._give_back(None)
        return 0

    def _next(self) -> ReadInto | None:
        with self._changed:
            self._changed.wait_for(lambda: self._lent or self._has_ended or self._is_over)
            if self._is_over:
                raise ConnectionAbortedError(None, "the session was ended")
            return self._lent

    def _give_back(self, cut: Cut | None) -> None:
        with self._changed:
            self._lent, self._cut = None, cut
            self._changed.notify_all()

    def lend(self, readinto: ReadInto) -> None:
        """Until all of it was read, or the import is over. Raises Cut."""
        with self._changed:
            self._lent, self._cut = readinto, None
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._lent is None or self._is_over)
            self._lent = None
            if self._cut is not None:
                raise self._cut

    def end(self) -> None:
        with self._changed:
            self._has_ended = True
            self._changed.notify_all()

    def over(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class PipedReceiver:
    def __init__(self, target: Target, head: bytes, length: int | None, progress: Progress) -> None:
        self._pipe = _Pipe(head)
        self._cancel = Cancel()
        source = GivenSource(self._pipe.read, self._pipe.over, "the upload", length)
        self._request = Request(source=source.opened, target=target, archive=target.archive)
        self._progress = progress
        self._result: Result | Fault | None = None
        self._thread = threading.Thread(target=self._run, name="import", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._result = run(self._request, self._progress, self._cancel)
        except Fault as fault:
            self._result = fault
        except Exception as error:
            self._result = Fault("ImporterDefect", error=place_of(error))
            raise  # the thread's last words go to the log
        finally:
            self._pipe.over()

    @property
    def offset(self) -> int:
        return self._pipe.offset

    def take(self, readinto: ReadInto) -> None:
        try:
            self._pipe.lend(readinto)
        finally:
            if isinstance(self._result, Fault):
                self._thread.join()
                raise self._result

    def finish(self) -> tuple[str, ...]:
        self._pipe.end()
        self._thread.join()
        if isinstance(self._result, Fault):
            raise self._result
        return self._result.notes if self._result is not None else ()

    def stop(self) -> None:
        self._cancel.request()
        self._pipe.over()

    def close(self) -> None:
        """Nothing of a stream stays."""
        self.destroy()

    def destroy(self) -> None:
        self.stop()
        self._thread.join()
