"""An upload in a session (tus 1.0): what the server has is asked for, and sending goes on behind it."""

from __future__ import annotations

import base64
import http.client
from collections.abc import Iterator, Mapping
from typing import Protocol

from cdi.base.faults import CATALOGUE, Fault
from cdi.cli.sending.content import Content
from cdi.cli.sending.kept import Kept, Session
from cdi.cli.sending.peer import Answer, Body, Peer
from cdi.cli.sending.refusal import refused
from cdi.contract.failures import failure_code
from importer.cancel import Cancel
from importer.fetch.retry import Patience, RetryPolicy
from importer.progress import Progress, Stage

VERSION = "1.0.0"
COLLECTION = "/v1beta1/upload/sessions"  # where they are made
_APPENDED = "application/offset+octet-stream"
PROXIED = 32 << 20  # bytes of a request: reverse proxies have limits, 64 MiB often
UNBOUNDED = 1 << 62
_SMALLEST = 1 << 20
_DIGITS = 20


class Tokens(Protocol):
    def token(self) -> str:
        """One that should be valid now."""

    def refused(self) -> None:
        """The last one was."""


class _Broken(Exception):
    """The request did no harm, and what the server has is to be asked for."""


class _Gone(Exception):
    """There is no such session (any more)."""


class SessionUpload:
    """``way``: which server ``peer`` is, for another process. ``kept``: where the session is remembered. ``largest``:
    bytes of a request. Blocking."""

    def __init__(self, peer: Peer, way: str, tokens: Tokens, kept: Kept, largest: int = PROXIED) -> None:
        self._peer = peer
        self._way = way
        self._tokens = tokens
        self._kept = kept
        self._largest = largest
        self._renewed = False

    def is_served(self) -> bool:
        """Whether the server knows sessions. Raises what the peer raises."""
        answer = self._ask("OPTIONS", COLLECTION, {})
        return answer.status in (http.client.OK, http.client.NO_CONTENT) and "tus-version" in answer.headers

    def send(self, content: Content, progress: Progress, cancel: Cancel) -> None:
        """When it returns, all bytes have come. Raises Fault UploadPaused, what the content raises, and
        UploadRefused."""
        cancel.on_request(self._peer.interrupt)
        progress.enter(Stage.SENDING)
        account, patience = _Account(progress, content.length), Patience(RetryPolicy(), cancel.sleep)
        path, best = "", 0
        while True:
            try:
                path = path or self._resumed(content) or self._created(content)
                offset = self._offset(path)
                if offset > best:
                    best = offset
                    patience.progressed()
                account.stands_at(offset)
                self._append(path, content, offset, account)
                break
            except (OSError, http.client.HTTPException, _Broken, _Gone) as error:
                cancel.check(account.at)
                if isinstance(error, _Gone):
                    if account.at == content.length:
                        break  # its end was not heard of: the DataVolume tells what became of it
                    self._kept.forget()
                    path, best = "", 0
                sent, total = f"{account.at:,}", f"{content.length:,}"
                patience.wait_or_raise(Fault("UploadPaused", sent=sent, total=total, cause=error))
        self._kept.forget()

    def _resumed(self, content: Content) -> str:
        """The path of a session that another process has left; empty where there is none for this content."""
        known = self._kept.load()
        if known is None or not content.etag:
            return ""
        wanted = Session(known.url, self._way, content.etag, content.media_type, content.length)
        if known != wanted:
            return ""
        try:
            self._offset(known.url)
        except _Gone:
            self._kept.forget()
            return ""
        except Fault:  # it has failed, for a reason that may be mended by now
            self._shown("DELETE", known.url, {})
            self._kept.forget()
            return ""
        return known.url

    def _created(self, content: Content) -> str:
        filetype = base64.b64encode(content.media_type.encode()).decode()
        headers = {"Upload-Length": str(content.length), "Upload-Metadata": f"filetype {filetype}"}
        answer = self._shown("POST", COLLECTION, {**headers, "Content-Length": "0"})
        if answer.status != http.client.CREATED:
            raise _judged(answer)
        path = _path_of(answer.headers.get("location", ""))
        if content.etag:
            self._kept.save(Session(path, self._way, content.etag, content.media_type, content.length))
        return path

    def _offset(self, path: str) -> int:
        answer = self._shown("HEAD", path, {})
        if answer.status not in (http.client.OK, http.client.NO_CONTENT):
            raise _judged(answer)
        return _offset_of(answer)

    def _append(self, path: str, content: Content, offset: int, account: _Account) -> None:
        pieces = _Pieces(content.pieces(offset), account)
        while offset < content.length:
            count = min(self._largest, content.length - offset)
            body = Body(pieces.take(count), count, _APPENDED)
            answer = self._shown("PATCH", path, {"Upload-Offset": str(offset)}, body)
            if answer.status == http.client.REQUEST_ENTITY_TOO_LARGE and self._largest > _SMALLEST:
                self._largest //= 2
                raise _Broken(f"a proxy takes no {count:,} bytes at once")
            if answer.status != http.client.NO_CONTENT:
                raise _judged(answer)
            offset += count
            if _offset_of(answer) != offset:
                raise _Broken("not all of a request was taken")

    def _shown(self, method: str, path: str, headers: Mapping[str, str], body: Body | None = None) -> Answer:
        """With a token: an upload server wants one with every request, its proxy with the first."""
        answer = self._ask(method, path, {"Authorization": f"Bearer {self._tokens.token()}", **headers}, body)
        if answer.status == http.client.UNAUTHORIZED and not self._renewed:
            self._renewed = True
            self._tokens.refused()
            raise _Broken(answer.said)
        self._renewed = self._renewed and answer.status == http.client.UNAUTHORIZED
        return answer

    def _ask(self, method: str, path: str, headers: Mapping[str, str], body: Body | None = None) -> Answer:
        return self._peer.ask(method, path, {"Tus-Resumable": VERSION, **headers}, body)


class _Account:
    """How far sending is, for whoever watches: what was sent and lost is not counted."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.at = 0
        self._progress = progress
        self._total = total
        self._is_begun = False

    def stands_at(self, offset: int) -> None:
        if not self._is_begun:
            self._progress.expect(self._total, kept=offset)
            self._is_begun = True
        else:
            self._progress.fetched(offset - self.at)
        self.at = offset

    def sent(self, count: int) -> None:
        self.at += count
        self._progress.fetched(count)


class _Pieces:
    """Cut where requests end."""

    def __init__(self, pieces: Iterator[memoryview], account: _Account) -> None:
        self._pieces = pieces
        self._account = account
        self._rest = memoryview(b"")

    def take(self, count: int) -> Iterator[memoryview]:
        while count:
            if not self._rest:
                self._rest = next(self._pieces)
            piece, self._rest = self._rest[:count], self._rest[count:]
            count -= len(piece)
            yield piece
            self._account.sent(len(piece))


def _judged(answer: Answer) -> Exception:
    """What an answer that is no success means: the session is gone, another try makes sense, or a Fault."""
    if answer.status in (http.client.NOT_FOUND, http.client.GONE):
        return _Gone(answer.said)
    waits = (http.client.CONFLICT, http.client.REQUEST_TIMEOUT, http.client.LOCKED, http.client.TOO_MANY_REQUESTS)
    known = CATALOGUE.get(failure_code(answer.said))
    is_for_good = known is not None and known.permanent and answer.status != http.client.CONFLICT
    if not is_for_good and (answer.status in waits or answer.status >= http.client.INTERNAL_SERVER_ERROR):
        return _Broken(answer.said)
    return refused(answer)


def _offset_of(answer: Answer) -> int:
    text = answer.headers.get("upload-offset", "")
    if not (text.isascii() and text.isdigit() and len(text) < _DIGITS):
        raise _Broken("the server does not say how much it has")
    return int(text)


def _path_of(location: str) -> str:
    """A session is where it was made, whatever host the server takes itself for."""
    from urllib.parse import urlsplit

    try:
        path = urlsplit(location).path
    except ValueError:
        path = ""
    if not path.startswith("/") or not path.isascii() or not path.isprintable() or len(path) > 2000 or " " in path:
        raise _Broken("the server does not say where the session is")
    return path
