"""The first bytes of a file: what it is shows in them, before a disk is made for it."""

from __future__ import annotations

from typing import NoReturn

from cdi.base.faults import Fault
from importer.plan import Route, Wishes, make_plan
from importer.sources import HEAD_SIZE, Body, Facts
from uploadproxy.server.receiving import Cut, ReadInto


class Beginning:
    """In memory, until it is long enough."""

    def __init__(self) -> None:
        self.bytes = b""

    @property
    def offset(self) -> int:
        return len(self.bytes)

    def take(self, readinto: ReadInto, length: int | None) -> bool:
        """Whether there is enough of it. Raises Cut: then nothing of it counts."""
        most = HEAD_SIZE if length is None else min(HEAD_SIZE, length)
        buffer = memoryview(bytearray(most))
        filled = len(self.bytes)
        buffer[:filled] = self.bytes
        try:
            while filled < most and (count := readinto(buffer[filled:])):
                filled += count
        except Cut:
            self.bytes = b""
            raise
        self.bytes = bytes(buffer[:filled])
        return filled == most

    @staticmethod
    def given(data: bytes | memoryview) -> ReadInto:
        left = memoryview(data)

        def readinto(buffer: memoryview) -> int:
            nonlocal left
            count = min(len(left), len(buffer))
            buffer[:count], left = left[:count], left[count:]
            return count

        return readinto


def is_raw(head: bytes, length: int, *, archive: bool) -> bool:
    """Whether the bytes of the file are those of the disk. Raises Fault for what is no image."""
    plan = make_plan(_Seen(head, length), _no_ranges, Wishes(archive))
    return plan.route is Route.STREAM and plan.format == "raw" and not plan.compression


class _Seen:
    """A source of which the beginning is known."""

    trust_checksum = False
    mixed: tuple[str, str] | None = None
    name = "the upload"

    def __init__(self, head: bytes, length: int) -> None:
        self._facts = Facts(self.name, length, False, None, head, once=True)

    def probe(self) -> Facts:
        return self._facts

    def open(self, offset: int, length: int | None) -> Body:
        _no_ranges(offset, length or 0)

    def interrupt(self) -> None:
        """Nothing blocks."""

    def close(self) -> None:
        """Nothing is open."""


def _no_ranges(_offset: int, _length: int) -> NoReturn:
    raise Fault("UploadMalformed", cause="its beginning does not say what it is")
