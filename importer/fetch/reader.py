"""Reading byte ranges of a source into given buffers, continuing in place after every transient fault."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.fetch.retry import Patience, RetryPolicy
from importer.sources import Body, Source


class RangeReader:
    """Reads ranges of ``source``. Safe from several threads: every call has its own connection and patience.

    ``fetched(count)`` is told of every received byte. ``head``: the first bytes of the file, which are there already.
    """

    def __init__(
        self,
        source: Source,
        policy: RetryPolicy,
        cancel: Cancel,
        fetched: Callable[[int], None],
        head: bytes = b"",
    ) -> None:
        self._source = source
        self._head = head
        self._policy = policy
        self._cancel = cancel
        self._fetched = fetched
        self.quickest_s = 0.0  # the shortest wait for an answer so far, about one round trip; 0 before the first

    def units(self, offset: int, length: int, buffer: memoryview) -> Iterator[memoryview]:
        """Yield [offset, offset+length) in order as full views of ``buffer`` (the last may be shorter).

        The view is valid until the next step. Blocking. Raises the Fault when patience ends, Cancelled on request.
        """
        patience = Patience(self._policy, self._cancel.sleep)
        end = offset + length
        answer: _Answer | None = None
        try:
            while offset < end:
                view = buffer[: min(len(buffer), end - offset)]
                filled = 0
                while filled < len(view):
                    position = offset + filled
                    self._cancel.check(position)
                    if count := self._from_head(view[filled:], position):
                        filled += count
                        self._fetched(count)
                        continue
                    try:
                        answer = answer or _Answer(self._open(position, end))
                        count = answer.readinto(view[filled:])
                        if count == 0 and not answer.given:
                            raise Fault("SourceTruncated", source=self._source.name, got=position, expected=end)
                    except Fault as fault:
                        answer = _left(answer)
                        self._cancel.check(position)  # interrupted sockets look like lost connections
                        patience.wait_or_raise(fault)
                        continue
                    if count == 0:  # it held less than was asked for: the rest is asked for
                        answer = _left(answer)
                        continue
                    filled += count
                    self._fetched(count)
                    patience.progressed()
                yield view
                offset += len(view)
        finally:
            _left(answer)

    def _from_head(self, view: memoryview, position: int) -> int:
        part = self._head[position : position + len(view)]
        view[: len(part)] = part
        return len(part)

    def _open(self, offset: int, end: int) -> Body:
        asked_s = time.monotonic()
        body = self._source.open(offset, end - offset)
        waited_s = time.monotonic() - asked_s
        self.quickest_s = min(self.quickest_s or waited_s, waited_s)
        return body

    def read_at(self, offset: int, length: int) -> bytes:
        """Exactly these bytes, for small tables."""
        data = bytearray(length)
        with memoryview(data) as view:
            for _ in self.units(offset, length, view):
                pass
        return bytes(data)


class _Answer:
    """A body, and how much of it came."""

    def __init__(self, body: Body) -> None:
        self.body = body
        self.given = 0

    def readinto(self, view: memoryview) -> int:
        count = self.body.readinto(view)
        self.given += count
        return count


def _left(answer: _Answer | None) -> _Answer | None:
    """None, for the next one to take its place; ``answer`` is closed."""
    if answer is not None:
        answer.body.close()
    return None
