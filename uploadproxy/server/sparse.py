"""A sparse stream (``cdi.base.wire.extents``): its extents are written in place, and the rest of the disk is zero."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable

from cdi.base.faults import Fault
from cdi.base.units import MiB
from cdi.base.wire.extents.decoder import Decoder, Extent
from cdi.base.wire.extents.frames import START, Malformed, Mark
from importer.progress import Progress
from importer.pushed import Pushed, PushedDisk
from importer.target import Target
from uploadproxy.server.raw import destroy, publish
from uploadproxy.server.receiving import Cut, ReadInto, client_side
from uploadproxy.server.record import Record

_REMEMBERED = MiB  # of a stream: so much comes again at most after the process was killed


class SparseReceiver:
    """``opened(size)``: the disk, and the record of it, when the stream has said how large it is. What is not a whole
    frame waits in memory for what follows."""

    def __init__(self, opened: Callable[[int], tuple[PushedDisk, Record]], mark: Mark = START, size: int = 0) -> None:
        """``mark``, ``size``: of the record that another process left."""
        self._opened = opened
        self._decoder = Decoder(size or None, mark)
        self._partial = 0  # bytes behind the mark that have come
        self._remembered = mark.position
        self._disk: PushedDisk | None = None
        self._record: Record | None = None
        if mark.position:
            self._open(size)

    def _open(self, size: int) -> PushedDisk:
        self._disk, self._record = self._opened(size)
        head = self._record.head(self._disk.head)
        if self._decoder.mark.position and head:
            whole = len(head) // 4096 * 4096
            self._disk.write(0, memoryview(head)[:whole])
        return self._disk

    @property
    def offset(self) -> int:
        return self._decoder.mark.position + self._partial

    def take(self, readinto: ReadInto) -> None:
        decoder = self._decoder
        while not decoder.ended:
            try:
                count = readinto(decoder.room)
            except Cut:
                self._rewind()
                raise
            if count == 0:
                return
            self._took(count)
        if readinto(memoryview(bytearray(1))):
            raise Fault("UploadMalformed", cause="bytes come after the end of the sparse stream")

    def _took(self, count: int) -> None:
        before = self._decoder.mark.position
        try:
            found = self._decoder.took(count)
        except Malformed as error:
            raise Fault("UploadMalformed", cause=str(error)) from error
        self._partial = self._partial + count if self._decoder.mark.position == before else 0
        if self._disk is None and self._decoder.mark.position:
            if not self._decoder.size:
                raise Fault("SourceEmpty", source="the upload")
            self._open(self._decoder.size)
        for extent in found:
            self._write(extent)

    def _write(self, extent: Extent) -> None:
        assert self._disk is not None
        assert self._record is not None
        held = max(0, min(self._disk.head - extent.offset, len(extent.data)))
        if held:
            self._record.keep_head(extent.offset, extent.data[:held])
        self._disk.write(extent.offset, extent.data)
        if self._decoder.mark.position - self._remembered >= _REMEMBERED:
            self._record.marked(self._decoder.mark)
            self._remembered = self._decoder.mark.position

    def _rewind(self) -> None:
        """To behind the last whole frame, whose bytes survive a power cut then."""
        mark, size = self._decoder.mark, self._decoder.size
        self._decoder, self._partial = Decoder(size if mark.position else None, mark), 0
        if self._disk is not None and self._record is not None:
            self._disk.flush()
            self._record.marked(mark, durable=True)
            self._remembered = mark.position

    def complete(self) -> None:
        """Raises Fault for a stream that has not come to its end."""
        try:
            self._decoder.close()
        except Malformed as error:
            raise Fault("UploadMalformed", cause=str(error)) from error

    def finish(self) -> tuple[str, ...]:
        self.complete()
        assert self._disk is not None
        assert self._record is not None
        publish(self._disk, self._record)
        return ()

    def stop(self) -> None:
        """Nothing blocks here but the client and the storage."""

    def close(self) -> None:
        if self._disk is not None and self._record is not None:
            with contextlib.suppress(Fault):
                self._record.marked(self._decoder.mark)
            self._disk.close()

    def destroy(self) -> None:
        if self._disk is not None and self._record is not None:
            destroy(self._disk, self._record)


def receive(readinto: ReadInto, target: Target, progress: Progress, received: Callable[[], None]) -> None:
    """A stream that comes in one piece becomes the disk of ``target``. ``received``: told when all of it has come.
    Blocking. Raises Fault; nothing stays then."""
    version = secrets.token_hex(16)

    def opened(size: int) -> tuple[PushedDisk, Record]:
        return PushedDisk(target, Pushed("the upload", size, version), progress), Record(target.session_path())

    receiver = SparseReceiver(opened)
    try:
        receiver.take(client_side(readinto))
        receiver.complete()
        received()
        receiver.finish()
    except Cut as cut:
        receiver.destroy()
        cause = str(cut.__cause__)
        raise Fault("UploadBroken", source="the upload", got=f"{receiver.offset:,}", cause=cause) from cut.__cause__
    except BaseException:
        receiver.destroy()
        raise
