"""tus 1.0: what a request for a session says, and how it is answered. The protocol is in docs/uploads.md."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus

from cdi.base.defect import place_of
from cdi.base.faults import Fault
from cdi.base.units import MiB
from uploadproxy.server.answer import Answer, failed
from uploadproxy.server.beginning import Beginning
from uploadproxy.server.body import Body
from uploadproxy.server.receiving import Cut, ReadInto, client_side
from uploadproxy.server.request import Request, media_type
from uploadproxy.server.routes import SESSIONS, SPARSE
from uploadproxy.server.session import Refused, Session
from uploadproxy.server.sessions import Sessions

log = logging.getLogger("uploadserver")

VERSION = "1.0.0"
_RESUMABLE = ("Tus-Resumable", VERSION)
_ALGORITHMS = ("sha1", "sha256", "sha512")
_ABOUT = (
    ("Tus-Version", VERSION),
    ("Tus-Extension", "creation,creation-defer-length,checksum,termination"),
    ("Tus-Checksum-Algorithm", ",".join(_ALGORITHMS)),
)
_CHECKED_MOST = 8 * MiB  # bytes that are held until they are found right
_METADATA_MOST, _PAIRS_MOST = 4096, 32
_TYPE = "application/offset+octet-stream"
_LARGEST = 2**63 - 1
UNKNOWN = Answer(404, Fault("UploadSessionUnknown").message, (_RESUMABLE,))


@dataclass(frozen=True, slots=True)
class Asked:
    """``authorize``: raises Refused for whoever may not. ``begin``: the client may send now. ``interrupt``: ends the
    body, from another thread."""

    request: Request
    body: Body
    authorize: Callable[[], None]
    begin: Callable[[], None]
    interrupt: Callable[[], None]

    @property
    def method(self) -> str:
        return self.request.headers.get("x-http-method-override", "").upper() or self.request.method


@contextmanager
def answer_to(sessions: Sessions, asked: Asked) -> Iterator[Answer]:
    """The answer, to be sent inside: after a success the server ends when this is left. Blocking."""
    with ExitStack() as afterwards:
        try:
            answer = _answered(sessions, asked, afterwards)
        except Refused as refused:
            answer = refused.answer
        except Cut as cut:
            answer = _of_a_cut(cut)
        except Fault as fault:
            answer = failed(fault)
        except Exception as error:
            log.exception("a defect of the upload server")
            answer = failed(Fault("ImporterDefect", error=place_of(error)))
        if _RESUMABLE not in answer.headers:
            answer = Answer(answer.status, answer.text, (_RESUMABLE, *answer.headers))
        yield answer


def _answered(sessions: Sessions, asked: Asked, afterwards: ExitStack) -> Answer:
    if asked.method == "OPTIONS":
        return Answer(204, "", _ABOUT)
    if asked.request.headers.get("tus-resumable") != VERSION:
        raise Refused(Answer(412, f"Tus-Resumable has to be {VERSION}. Try: a client of tus 1.0.", _ABOUT))
    asked.authorize()
    if (asked.method, asked.request.path) == ("POST", SESSIONS):
        return _created(sessions, asked)
    session = _found(sessions, asked.request.path)
    match asked.method:
        case "HEAD" if session is not None:
            return _looked(session)
        case "PATCH" if session is not None:
            return _taken(session, asked, afterwards)
        case "DELETE" if session is not None:
            sessions.end(session)
            return Answer(204)
        case _:
            return UNKNOWN


def _found(sessions: Sessions, path: str) -> Session | None:
    claim = sessions.claim
    *place, id = path.removeprefix(f"{SESSIONS}/").split("/")
    session = sessions.find(id)
    return session if claim and place == [claim.namespace, claim.name, claim.uid] else None


def _created(sessions: Sessions, asked: Asked) -> Answer:
    headers = asked.request.headers
    if sessions.claim is None:
        return UNKNOWN
    if asked.request.has_body:
        raise _malformed("a session is opened without a body")
    if headers.get("upload-defer-length") == "1" and "upload-length" not in headers:
        length = None
    else:
        length = _number(headers, "upload-length")
        if length == 0:
            raise Fault("SourceEmpty", source="the upload")
    path = sessions.create(length, sparse=_metadata(headers.get("upload-metadata", "")).get("filetype") == SPARSE)
    return Answer(201, "", (("Location", path),))


def _looked(session: Session) -> Answer:
    if not session.is_finishing:
        with session.turn():
            session.look()
    return session.failure or Answer(200, "", (*_state(session), ("Cache-Control", "no-store")))


def _state(session: Session) -> tuple[tuple[str, str], ...]:
    length = session.length
    offset = length if session.is_finishing and length is not None else session.offset
    found = [("Upload-Offset", str(offset))]
    found.append(("Upload-Defer-Length", "1") if length is None else ("Upload-Length", str(length)))
    return (*found, ("Cdi-Fault", "UploadStartsAgain")) if session.why_again else tuple(found)


def _taken(session: Session, asked: Asked, afterwards: ExitStack) -> Answer:
    headers = asked.request.headers
    if media_type(asked.request.content_type) != _TYPE:
        return Answer(415, f"Content-Type has to be {_TYPE}. Try: a client of tus 1.0.")
    said = _number(headers, "upload-offset")
    with session.turn(asked.interrupt):
        if session.is_over:
            return UNKNOWN if session.offset != session.length else Answer(204, "", _state(session))
        if session.failure is not None:
            return session.failure
        session.look()
        _set_length(session, headers.get("upload-length"))
        if said != session.offset:
            return _elsewhere(session, said)
        asked.begin()
        session.take(_checked(asked, _bounded(asked, session)), afterwards)
        return Answer(204, "", _state(session))


def _set_length(session: Session, text: str | None) -> None:
    if text is None:
        return
    length = _decimal("upload-length", text)
    if session.length not in (None, length) or length < session.offset or not length:
        raise _malformed(f"Upload-Length {length} is not what was said before, or less than what has come")
    session.length = length


def _elsewhere(session: Session, said: int) -> Answer:
    fault = Fault("UploadOffsetWrong", said=f"{said:,}", offset=f"{session.offset:,}")
    if session.why_again:
        fault = Fault("UploadStartsAgain", why=session.why_again)
    return Answer(409, fault.message, _state(session))


def _bounded(asked: Asked, session: Session) -> ReadInto:
    """The body's bytes, as many as the session can have. What the client does wrong is a Cut."""
    left = None if session.length is None else session.length - session.offset
    if left is not None and asked.request.length is not None and asked.request.length > left:
        raise _malformed(f"{asked.request.length:,} bytes are announced, and {left:,} are to come")

    def readinto(buffer: memoryview) -> int:
        nonlocal left
        count = client_side(asked.body.readinto)(buffer if left is None else buffer[: max(left, 1)])
        if left is not None:
            if count > left:
                raise Cut from _malformed("more comes than the length that was said")
            left -= count
        return count

    return readinto


def _checked(asked: Asked, readinto: ReadInto) -> ReadInto:
    """All of it, when it has a checksum: none of the bytes count before all have been found right. Raises Refused."""
    said = asked.request.headers.get("upload-checksum")
    if said is None:
        return readinto
    algorithm, _, text = said.partition(" ")
    length = asked.request.length
    try:
        digest = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise _malformed("Upload-Checksum is no algorithm with a digest in base64") from error
    if algorithm not in _ALGORITHMS:
        raise _malformed(f"Upload-Checksum is of none of {', '.join(_ALGORITHMS)}")
    if length is None or length > _CHECKED_MOST:
        text = f"With Upload-Checksum a PATCH has a Content-Length of at most {_CHECKED_MOST:,}. Try: smaller pieces."
        raise Refused(Answer(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text))
    held, filled = memoryview(bytearray(length)), 0
    while filled < length and (count := readinto(held[filled:])):
        filled += count
    if not hmac.compare_digest(hashlib.new(algorithm, held, usedforsecurity=False).digest(), digest):
        fault = Fault("UploadChecksumWrong", length=f"{length:,}", algorithm=algorithm)
        raise Refused(Answer(460, fault.message))
    return Beginning.given(held)


def _of_a_cut(cut: Cut) -> Answer:
    cause = cut.__cause__
    if isinstance(cause, Fault):
        return failed(cause)
    return Answer(500, f"The request was cut: {cause}. Try: ask with HEAD where the session is, and go on from there.")


def _metadata(text: str) -> dict[str, str]:
    """Raises Fault."""
    if len(text) > _METADATA_MOST or text.count(",") >= _PAIRS_MOST:
        raise _malformed(f"Upload-Metadata has more than {_METADATA_MOST} characters or {_PAIRS_MOST} pairs")
    found = {}
    for pair in filter(None, text.split(",")):
        key, _, value = pair.strip().partition(" ")
        try:
            found[key] = base64.b64decode(value, validate=True).decode("utf-8", "replace")
        except (binascii.Error, ValueError) as error:
            raise _malformed("Upload-Metadata is no list of keys with values in base64") from error
    return found


def _number(headers: Mapping[str, str], name: str) -> int:
    return _decimal(name, headers.get(name, ""))


def _decimal(name: str, text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) <= 19 and int(text) <= _LARGEST):
        raise _malformed(f"{name.title()} is no number")
    return int(text)


def _malformed(cause: str) -> Fault:
    return Fault("UploadMalformed", cause=cause)
