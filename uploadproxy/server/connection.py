"""One client's connection: its requests, one after the other, each answered before the connection is closed."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from cdi.base.units import GiB, KiB
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources.incoming import Incoming
from uploadproxy.server.answer import (
    ALIVE,
    CONTINUE,
    DONE,
    NO_CLONE_STREAM,
    NOT_FOUND,
    REFUSALS,
    Answer,
    unauthorized,
)
from uploadproxy.server.attempt import Attempt, Stream, Volume
from uploadproxy.server.body import Body
from uploadproxy.server.channel import Channel
from uploadproxy.server.clone import Clones
from uploadproxy.server.cloning import CloneAsked, answer_to_clone
from uploadproxy.server.request import BadRequest, Request, media_type, read_request
from uploadproxy.server.routes import CLONES, HEALTH, SESSIONS, UPLOADS, Upload
from uploadproxy.server.session import Refused
from uploadproxy.server.sessions import Sessions
from uploadproxy.server.slot import Slot, Take
from uploadproxy.server.tus import Asked, answer_to

log = logging.getLogger("uploadserver")

# A client that sends its whole body before it reads the answer loses that when the connection is closed under it. So
# the rest is read and thrown away, within these bounds.
_REST_S, _REST = 10.0, 4 * GiB
_TAKING = ("POST", "PUT")  # PUT is what ``curl -T`` sends


@dataclass(frozen=True, slots=True)
class Service:
    """What all connections share. ``client_name``, ``client_uri`` (empty: none is asked for): of the one who may
    upload."""

    slot: Slot
    volume: Volume
    progress: Progress
    sessions: Sessions
    clones: Clones
    client_name: str
    client_uri: str = ""

    def lets_in(self, channel: Channel) -> bool:
        by_name = bool(self.client_name) and channel.client_name == self.client_name
        return by_name and (not self.client_uri or self.client_uri in channel.client_uris)


class Connection:
    def __init__(self, channel: Channel, service: Service) -> None:
        self._channel = channel
        self._service = service
        self._incoming = Incoming(channel)

    def attend(self) -> None:
        """Blocking, until one of both is through with the other. Raises OSError."""
        self._channel.shake_hands()
        goes_on = True
        while goes_on:
            self._channel.can_go = True
            try:
                request = read_request(self._incoming, self._channel)
            except BadRequest as error:
                self._send(Answer(error.status, f"{error}."), Request("", "", None), goes_on=False)
                self._throw_away(None)
                return
            if request is None:
                return
            self._channel.can_go = False
            goes_on = self._attend(request)

    def _attend(self, request: Request) -> bool:
        """Whether another request may follow."""
        body = Body(request, self._incoming)
        upload = UPLOADS.get(request.path)
        goes_on = request.goes_on and not request.has_body
        if request.path == SESSIONS or request.path.startswith(f"{SESSIONS}/"):
            return self._session(request, body)
        if request.method == "POST" and request.path.startswith(CLONES):
            return self._clone(request, body)
        if upload is not None and request.method in _TAKING and not _is_clone_stream(request):
            goes_on = False
            self._upload(upload, request, body)
        else:
            goes_on = self._send(_answer_to(request, upload), request, goes_on=goes_on) and goes_on
        if body.left != 0:
            self._throw_away(body.left)
        return goes_on

    def _session(self, request: Request, body: Body) -> bool:
        """Whether another request may follow: one does, when this one was read to its end."""

        def authorize() -> None:
            if self._service.lets_in(self._channel):
                return
            from uploadproxy.server.permission import refusal

            refused = refusal(request.headers.get("authorization", ""), self._service.sessions.claim)
            if refused is not None:
                raise Refused(refused)

        def begin() -> None:
            if request.expects:
                self._channel.send(CONTINUE)

        asked = Asked(request, body, authorize, begin, self._channel.interrupt)
        with self._channel.of_a_body(), answer_to(self._service.sessions, asked) as answer:
            goes_on = request.goes_on and body.left == 0
            goes_on = self._send(answer, request, goes_on=goes_on) and goes_on
        if body.left != 0:
            self._throw_away(body.left)
        return goes_on

    def _clone(self, request: Request, body: Body) -> bool:
        """Whether another request may follow: one does, when this one was read to its end."""
        if not self._service.lets_in(self._channel):
            self._send(unauthorized(self._service.client_name), request, goes_on=False)
        else:
            with self._channel.of_a_body():
                asked = CloneAsked(request.path, body.readinto, self._channel.interrupt)
                with answer_to_clone(self._service.clones, asked) as answer:
                    goes_on = request.goes_on and body.left == 0
                    if self._send(answer, request, goes_on=goes_on) and goes_on:
                        return True
        if body.left != 0:
            self._throw_away(body.left)
        return False

    def _upload(self, upload: Upload, request: Request, body: Body) -> None:
        def answer(said: Answer) -> None:
            self._send(said, request, goes_on=False)

        if not self._service.lets_in(self._channel):
            answer(unauthorized(self._service.client_name))
            return
        cancel = Cancel()
        taken = self._service.slot.take(cancel.request)
        if taken is not Take.TAKEN:
            answer(REFUSALS[taken])
            return
        attempt = Attempt(upload, self._service.volume, self._service.slot, answer)
        with self._channel.of_a_body():
            attempt.run(lambda: self._stream(upload, request, body), self._service.progress, cancel)

    def _stream(self, upload: Upload, request: Request, body: Body) -> Stream:
        if not upload.form:
            kind = media_type(request.content_type)
            stream = Stream(body.readinto, request.length, self._channel.interrupt, lambda: kind)
        else:
            from uploadproxy.server.form import Form

            form = Form(request.content_type, body.readinto)
            stream = Stream(form.readinto, None, self._channel.interrupt, form.media_type)
        if request.expects:
            self._channel.send(CONTINUE)
        return stream

    def _send(self, answer: Answer, request: Request, *, goes_on: bool) -> bool:
        """Whether the client took it. It may have gone: what it did stays done. One that asks and does not read would
        hold its place for a second with each question."""
        try:
            self._channel.send(answer.encode(with_body=request.method != "HEAD", goes_on=goes_on))
        except OSError as error:
            log.info("the client did not wait for its answer %d: %s", answer.status, error)
            return False
        return True

    def _throw_away(self, left: int | None) -> None:
        """``left``: bytes that are to come, None when that is not known."""
        self._channel.can_go = True
        self._channel.until_s = time.monotonic() + _REST_S
        left = _REST if left is None else min(left, _REST)
        buffer = memoryview(bytearray(64 * KiB))
        while left > 0 and time.monotonic() < self._channel.until_s:
            count = self._incoming.fill(buffer[: min(left, len(buffer))])
            if count == 0:
                return
            left -= count


def _is_clone_stream(request: Request) -> bool:
    """What the source pods of the Go CDI send: framed by snappy, it would be taken for a disk."""
    return request.headers.get("x-cdi-content-type", "").strip().lower().endswith("-clone")


def _answer_to(request: Request, upload: Upload | None) -> Answer:
    """Of what is no upload."""
    if request.path == HEALTH and request.method in ("GET", "HEAD"):
        return ALIVE
    if upload is not None and upload.asynchronous and request.method == "HEAD":
        return DONE  # clients ask so whether there are asynchronous uploads
    return NOT_FOUND if upload is None or not _is_clone_stream(request) else NO_CLONE_STREAM
