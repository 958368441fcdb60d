"""Bytes that this process is being given, once: the body of an upload, or the stream of a clone."""

from __future__ import annotations

import time
from collections.abc import Callable

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE, Body, Facts
from importer.sources.body import ReplayBody
from importer.sources.patient import PATIENCE_S


class GivenSource:
    """What ``readinto`` gives: it fills the front of a buffer and says how much, 0 at the end (again when it is asked
    again), blocking, in the thread of the import; its OSErrors and Faults (a lost connection, a sender that is too
    slow) end the import as UploadBroken.

    ``interrupt``: makes a blocked ``readinto``, and each one that begins later, fail soon; called from another thread,
    or from a signal handler, and only while one is being waited for: who gave the bytes may go on with the connection
    when the import has ended. ``name``: for messages, "the upload". ``length``: bytes that were announced, so many must
    come. Connection and buffers stay the giver's. ``opened`` is the opener for a ``transfer.Request``.
    """

    trust_checksum = False
    mixed: tuple[str, str] | None = None

    def __init__(
        self,
        readinto: Callable[[memoryview], int],
        interrupt: Callable[[], None],
        name: str,
        length: int | None = None,
    ) -> None:
        self.name = name
        self._readinto = readinto
        self._interrupt = interrupt
        self._length = length
        self._taken = 0
        self._is_opened = False
        self._body: Body | None = None  # of the one who opens it, until it has
        self._waits = self._is_interrupted = False

    def opened(self) -> GivenSource:
        """Itself, once. Fault UploadBroken for whoever would read it again."""
        if self._is_opened:
            raise self._broken("it was read before")
        self._is_opened = True
        return self

    def probe(self) -> Facts:
        """Blocks until the first HEAD_SIZE bytes have come, or all that there are."""
        buffer = memoryview(bytearray(HEAD_SIZE))
        filled = 0
        while filled < len(buffer) and (count := self.take(buffer[filled:])):
            filled += count
        head = bytes(buffer[:filled])
        self._body = ReplayBody(head, _GivenBody(self))
        size = filled if filled < HEAD_SIZE else self._length  # when it has ended, its size is known
        return Facts(self.name, size, False, None, head, once=True)

    def open(self, offset: int, length: int | None) -> Body:
        """All of it, once. Fault UploadBroken for whoever would read it again."""
        body, self._body = self._body, None
        if body is None or offset or length is not None:
            raise self._broken("it was read before")
        return body

    def take(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer``; 0 only at the end."""
        self._waits = True
        try:
            if self._is_interrupted:  # asked behind the line above: so either this is seen, or ``interrupt`` sees that
                raise Fault("Cancelled", got=self._taken)
            count = self._readinto(buffer)
        except Fault as fault:
            if fault.code == "Cancelled":
                raise
            raise self._broken(fault.what) from fault
        except OSError as error:
            raise self._broken((error.strerror or type(error).__name__).lower()) from error
        finally:
            self._waits = False
        self._taken += count
        self._check_length(ended=count == 0)
        return count

    def _check_length(self, *, ended: bool) -> None:
        if self._length is None:
            return
        if self._taken > self._length:
            raise self._broken(f"more comes than the {self._length:,} bytes that were announced")
        if ended and self._taken < self._length:
            raise self._broken(f"{self._length:,} bytes were announced, and no more come")

    def _broken(self, cause: str) -> Fault:
        return Fault("UploadBroken", source=self.name, got=f"{self._taken:,}", cause=cause.rstrip("."))

    def interrupt(self) -> None:
        self._is_interrupted = True
        if self._waits:
            self._interrupt()

    def close(self) -> None:
        """Nothing: the connection is the giver's."""


class _GivenBody:
    def __init__(self, source: GivenSource) -> None:
        self._source = source

    def readinto(self, buffer: memoryview) -> int:
        """TLS gives 16 KiB at a time: many of them are handed over together, which costs less than each alone."""
        filled, until_s = 0, time.monotonic() + PATIENCE_S
        while filled < len(buffer) and (count := self._source.take(buffer[filled:])):
            filled += count
            if time.monotonic() > until_s:
                break
        return filled

    def close(self) -> None:
        """Nothing is held."""
