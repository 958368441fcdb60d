"""A raw file of a known length: written in place as it comes, and what is written is never asked for again."""

from __future__ import annotations

import contextlib

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.formats.ending import disk_in
from importer.plan import FOOTER_SIZE
from importer.pushed import PushedDisk
from importer.routes.writer import Filled, Writer
from uploadproxy.server.receiving import Cut, ReadInto
from uploadproxy.server.record import Record

_BUFFER = MiB
_PAGE = 4096


class RawReceiver:
    """Writes whole pages. The rest of a page, and what may be the footer of a VHD, waits in memory for what follows."""

    def __init__(self, disk: PushedDisk, record: Record, *, goes_on: bool) -> None:
        """``goes_on``: the record is of these bytes, from another process."""
        self._disk, self._record = disk, record
        self._length = disk.size
        self._position = self._kept() if goes_on else 0
        self._tail = b""

    def _kept(self) -> int:
        """Bytes from the start that are on the disk, or in the record."""
        missing = self._disk.head
        head = self._record.head(missing)
        reached = self._disk.kept.reach(missing) // _PAGE * _PAGE
        if len(head) < missing:
            reached = len(head) // _PAGE * _PAGE
        if reached and head:
            self._disk.write(0, memoryview(head)[: min(reached, missing)])
        return min(reached, self._most())

    def _most(self) -> int:
        return max(0, self._length - FOOTER_SIZE) // _PAGE * _PAGE

    @property
    def offset(self) -> int:
        return self._position + len(self._tail)

    def take(self, readinto: ReadInto) -> None:
        writer = Writer(self._write, _BUFFER)
        try:
            cut = self._filled(readinto, writer)
        except BaseException:
            writer.abandon()
            raise
        writer.close()
        if cut is not None:
            self._tail = b""
            self._disk.flush()
            raise cut

    def _filled(self, readinto: ReadInto, writer: Writer) -> Cut | None:
        """All whole pages are on their way to the disk; why there are no more, None at the end of the body."""
        ended, cut = False, None
        buffer = writer.take()
        while not ended:
            filled = len(self._tail)
            buffer[:filled] = self._tail
            while filled < len(buffer) and not ended:
                try:
                    count = readinto(buffer[filled:])
                except Cut as why:
                    count, cut = 0, why
                filled += count
                ended = count == 0
            whole = max(0, min((self._position + filled) // _PAGE * _PAGE, self._most()) - self._position)
            self._tail = bytes(buffer[whole:filled])
            if whole:
                writer.submit(Filled(self._position, buffer, whole, None))
                self._position += whole
                if not ended:
                    buffer = writer.take()
        return cut

    def _write(self, filled: Filled) -> None:
        data = filled.buffer[: filled.length]
        held = max(0, min(self._disk.head - filled.offset, len(data)))
        if held:
            self._record.keep_head(filled.offset, data[:held])
        self._disk.write(filled.offset, data)

    def finish(self) -> tuple[str, ...]:
        size = disk_in(self._tail[-FOOTER_SIZE:], self._length)
        self._disk.ends_at(size)
        if size > self._position:
            self._disk.write(self._position, memoryview(self._tail)[: size - self._position])
        publish(self._disk, self._record)
        return ()

    def stop(self) -> None:
        """Nothing blocks here but the client and the storage."""

    def close(self) -> None:
        self._disk.close()

    def destroy(self) -> None:
        destroy(self._disk, self._record)


def publish(disk: PushedDisk, record: Record) -> None:
    """It is whole. Raises Fault."""
    disk.publish()
    record.forget()
    disk.close()


def destroy(disk: PushedDisk, record: Record) -> None:
    """Nothing of it stays. Never raises."""
    with contextlib.suppress(Fault):
        record.forget()
    disk.destroy()
    disk.close()
