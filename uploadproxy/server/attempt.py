"""One upload: the bytes of a request become the disk of the volume."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace

from cdi.base.defect import place_of
from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination
from cdi.base.wire.upload import UPLOADED
from importer.cancel import Cancel
from importer.progress import Progress
from importer.target import Target
from uploadproxy.server.answer import DONE, Answer, cause_of, failed
from uploadproxy.server.routes import SPARSE, Upload
from uploadproxy.server.slot import Slot

log = logging.getLogger("uploadserver")

_NAME = "the upload"


@dataclass(frozen=True, slots=True)
class Stream:
    """``length``: bytes of the image, None while that is not known. ``interrupt``: from another thread.
    ``media_type``: of the file, which a form tells when its part has begun to come."""

    readinto: Callable[[memoryview], int]
    length: int | None
    interrupt: Callable[[], None]
    media_type: Callable[[], str] = lambda: ""


@dataclass(frozen=True, slots=True)
class Volume:
    """``target(archive)``: as it is now. Raises Fault."""

    target: Callable[[bool], Target]
    preallocation: bool


class Attempt:
    """Holds the slot, which it gives back however it ends. ``answer`` tells the client, once, and never raises."""

    def __init__(self, upload: Upload, volume: Volume, slot: Slot, answer: Callable[[Answer], None]) -> None:
        self._upload = upload
        self._volume = volume
        self._slot = slot
        self._answer = answer
        self._is_answered = False

    def run(self, opened: Callable[[], Stream], progress: Progress, cancel: Cancel) -> None:
        """Blocking. ``opened``: begins to read the request's body; raises Fault for one that is none."""
        try:
            said = self._transferred(opened(), progress, cancel)
        except Fault as fault:
            self._fail(fault)
        except Exception as error:
            log.exception("a defect of the upload server")
            self._fail(Fault("ImporterDefect", error=place_of(error)))
        else:
            self._slot.finish()
            self._tell(DONE)
            self._slot.end(said)

    def _transferred(self, stream: Stream, progress: Progress, cancel: Cancel) -> Termination:
        if not self._upload.archive and stream.media_type() == SPARSE:
            return self._spread(stream, progress, cancel)
        return self._imported(stream, progress, cancel)

    def _spread(self, stream: Stream, progress: Progress, cancel: Cancel) -> Termination:
        """A sparse stream."""
        from uploadproxy.server.sparse import receive

        progress.start_again()
        cancel.on_request(stream.interrupt)
        receive(stream.readinto, self._volume.target(False), progress, self._received)
        cancel.check(0)
        applied = self._volume.preallocation
        return Termination(UPLOADED, preallocation_applied=applied, bytes_done=progress.snapshot().bytes_done)

    def _imported(self, stream: Stream, progress: Progress, cancel: Cancel) -> Termination:
        from importer.sources.given import GivenSource
        from importer.transfer import Request, run

        source = GivenSource(stream.readinto, stream.interrupt, _NAME, stream.length)
        request = Request(
            source=source.opened,
            target=self._volume.target(self._upload.archive),
            archive=self._upload.archive,
            received=self._received,
        )
        progress.start_again()
        result = run(request, progress, cancel)
        for note in result.notes:
            log.warning("%s", note)
        applied = self._volume.preallocation and not self._upload.archive
        said = Termination(UPLOADED, preallocation_applied=applied, notes=result.notes)
        return replace(said, bytes_done=progress.snapshot().bytes_done)

    def _received(self) -> None:
        if self._upload.asynchronous:
            self._tell(DONE)

    def _fail(self, fault: Fault) -> None:
        answer = failed(fault)
        log.error("%s", answer.text)
        # Who was told that all is well learns of it by the end of the process, and so does who has to bring scratch.
        if self._is_answered or fault.code == "ScratchRequired":
            self._tell(answer)
            self._slot.end(cause_of(fault))
            return
        with self._slot.free():
            self._tell(answer)

    def _tell(self, answer: Answer) -> None:
        if not self._is_answered:
            self._is_answered = True
            self._answer(answer)
