"""One upload at a time, and how the server's work ends."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from typing import NamedTuple, Protocol

from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination

_LOOK_S = 1.0
QUIET_S = 60.0  # so long is the place kept for a session between two of its requests


class Waiting(Protocol):
    """An upload that waits for its client's next request, with the volume half written."""

    def displace(self) -> None:
        """Another one takes the volume: nothing of this one stays. Blocking."""
        ...

    def leave(self) -> None:
        """The process ends: what may go on in the next one stays. Blocking."""
        ...


class _Parked(NamedTuple):
    who: Waiting
    since_s: float


class Take(Enum):
    TAKEN = "taken"
    BUSY = "busy"  # another one is running
    FINISHED = "finished"  # one has ended well
    CLOSED = "closed"  # the server ends


class Slot:
    """``take`` is for the threads of connections, and each taken is given back by ``free``, or ends the work by
    ``finish`` or ``end``. ``wait`` is for the main thread."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        # Guarded by _changed:
        self._stop: Callable[[], None] | None = None  # of the upload that runs
        self._telling = 0  # clients that are being told of a failure
        self._parked: _Parked | None = None
        self._is_finished = self._is_closed = False
        self._outcome: Termination | Fault | None = None

    def take(self, stop: Callable[[], None], who: Waiting | None = None) -> Take:
        """``stop``: ends this upload soon, from another thread. ``who``: it may have been parked before. Another one
        that was is displaced when it has been quiet for a minute, which blocks."""
        with self._changed:
            parked = self._parked
            mine = parked is None or parked.who is who
            if self._is_finished:
                return Take.FINISHED
            if self._is_closed:
                return Take.CLOSED
            if self._stop is not None or not (mine or _is_quiet(parked)):
                return Take.BUSY
            self._stop, self._parked = stop, None
        if parked is not None and not mine:
            parked.who.displace()
        return Take.TAKEN

    def park(self, who: Waiting) -> None:
        """Given back, but kept for the next request of ``who``. When the process is ending, it leaves at once."""
        with self._changed:
            self._stop = None
            if not self._is_closed:
                self._parked, who_leaves = _Parked(who, time.monotonic()), False
            else:
                who_leaves = True
            self._telling += who_leaves
            self._changed.notify_all()
        if who_leaves:
            self._left(who)

    def forget(self, who: Waiting) -> None:
        """It does not wait any more."""
        with self._changed:
            if self._parked is not None and self._parked.who is who:
                self._parked = None

    def _left(self, who: Waiting) -> None:
        try:
            who.leave()
        finally:
            with self._changed:
                self._telling -= 1
                self._changed.notify_all()

    @contextmanager
    def free(self) -> Iterator[None]:
        """Another upload may begin. The process does not end before this is left: the client is told meanwhile."""
        with self._changed:
            self._stop = None
            self._telling += 1
            self._changed.notify_all()
        try:
            yield
        finally:
            with self._changed:
                self._telling -= 1
                self._changed.notify_all()

    def finish(self) -> None:
        """The disk is there: no other upload begins. The client has still to be told, then ``end`` follows."""
        with self._changed:
            self._is_finished = True

    def end(self, outcome: Termination | Fault) -> None:
        """The process ends with this."""
        with self._changed:
            self._stop = None
            self._outcome, self._is_closed = outcome, True
            self._changed.notify_all()

    def wait(self, seconds: float | None) -> Termination | Fault | None:
        """The outcome; None when there is none after ``seconds``, and no upload runs. Then none begins any more."""
        with self._changed:
            self._wait_until(
                lambda: self._outcome is not None or self._is_closed, math.inf if seconds is None else seconds
            )
            self._is_closed = True
            parked, self._parked = self._parked, None
            self._telling += parked is not None
        if parked is not None:
            self._left(parked.who)
        with self._changed:
            self._wait_until(lambda: self._outcome is not None or not (self._stop or self._telling), math.inf)
            return self._outcome

    def _wait_until(self, is_so: Callable[[], bool], seconds: float) -> None:
        until_s = time.monotonic() + seconds
        while not is_so() and (left_s := until_s - time.monotonic()) > 0:
            # A signal that comes in the moment before the main thread begins to wait does not wake it.
            self._changed.wait(min(left_s, _LOOK_S))

    def stop(self) -> None:
        """No upload begins any more, and the one that runs ends soon."""
        with self._changed:
            self._is_closed = True
            stop = self._stop
            self._changed.notify_all()
        if stop is not None:
            stop()


def _is_quiet(parked: _Parked | None) -> bool:
    return parked is not None and time.monotonic() - parked.since_s >= QUIET_S
