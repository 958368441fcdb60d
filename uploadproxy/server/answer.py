"""What clients are answered: a status and a sentence."""

from __future__ import annotations

import time
from dataclasses import dataclass
from http import HTTPStatus

from cdi.base.faults import Exit, Fault
from uploadproxy.server.slot import Take

_TYPE = "Content-Type: text/plain; charset=utf-8\r\nX-Content-Type-Options: nosniff\r\n"
_PHRASES = {460: "Checksum Mismatch"}  # tus 1.0
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    text: str = ""
    headers: tuple[tuple[str, str], ...] = ()

    def encode(self, *, with_body: bool, goes_on: bool) -> bytes:
        """``with_body``: not to a HEAD. ``goes_on``: another request may follow on the connection."""
        body = self.text.encode(errors="replace")
        phrase = _PHRASES.get(self.status) or HTTPStatus(self.status).phrase
        head = f"HTTP/1.1 {self.status} {phrase}\r\n"
        head += "".join(f"{name}: {value}\r\n" for name, value in self.headers)
        head += time.strftime("Date: %a, %d %b %Y %H:%M:%S GMT\r\n", time.gmtime())
        head += f"Content-Length: {len(body)}\r\n" if self.status != HTTPStatus.NO_CONTENT else ""
        head += _TYPE if body else ""
        head += "\r\n" if goes_on else "Connection: close\r\n\r\n"
        return head.encode() + (body if with_body else b"")


DONE = Answer(200)
ALIVE = Answer(200, "OK")
NOT_FOUND = Answer(404, "There is nothing here for this method and path. Try: POST an image to /v1beta1/upload.")
BUSY = Answer(503, "Another upload is running, and a volume takes one at a time. Try: again when it has ended.")
CLOSED = Answer(503, "This server ends, and another one takes its place. Try: again in some seconds.")
NO_CLONE_STREAM = Answer(
    415,
    "The stream of another version's clone pod is not understood here, and nothing of it was taken. "
    "Try: delete that pod; the controller of this version makes its own.",
)
FINISHED = Answer(
    409, "An upload into this volume has ended well, and the server ends. Try: nothing, the disk is there."
)


REFUSALS = {Take.BUSY: BUSY, Take.FINISHED: FINISHED, Take.CLOSED: CLOSED}


def unauthorized(name: str) -> Answer:
    text = f"Only a client that shows a certificate of the name {name} may upload. Try: through the upload proxy."
    return Answer(401, text)


_FAILED = "Saving stream failed: "  # the contract's, and that for what does not fit:
_TOO_LARGE = _FAILED + "effective image size is larger than the reported available storage: "
_UNFIT = {"TargetTooSmall", "TargetOutgrown", "NoSpace", "DecompressionBomb"}
_STATUS = {"UploadStalled": 408, "UploadMalformed": 400, "UploadBroken": 500, "ScratchRequired": 503}
_STATUS |= {"Cancelled": 503, "CancelledUnkept": 503}


def cause_of(fault: Fault) -> Fault:
    """What broke a stream off is told, where that is known, and not only that it did."""
    cause = fault.__cause__
    return cause if fault.code == "UploadBroken" and isinstance(cause, Fault) else fault


def failed(fault: Fault) -> Answer:
    """What is wrong with the bytes is 400, what went wrong here 500."""
    fault = cause_of(fault)
    if fault.code in _UNFIT:
        return Answer(400, f"{_TOO_LARGE}{fault.message}")
    is_of_the_bytes = fault.entry.exit in (Exit.SOURCE, Exit.INTEGRITY)
    return Answer(_STATUS.get(fault.code, 400 if is_of_the_bytes else 500), f"{_FAILED}{fault.message}")
