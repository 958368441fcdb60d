"""The head of a request, read within bounds: h11 knows the grammar, nothing is taken from it but what is used here."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field

import h11

from cdi.base.printable import one_line
from importer.sources.incoming import BadAnswer, Ended, Incoming
from uploadproxy.server.channel import Channel

_LINE, _HEAD = 8 * 1024, 32 * 1024  # bytes: of one line, of all of them
_HEAD_S = 10.0  # for a head that has begun (the contract)
_IDLE_S = 120.0  # for one to begin: Go's clients give up an idle connection after 90
_TOLD = 200  # characters of what is wrong


class BadRequest(Exception):
    """``status``: of the answer; its text says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """``path``: without its query. ``length``: bytes of the body, None when it comes in chunks. ``expects``: the
    client sends no body before it is told to go on. ``goes_on``: it may send another request afterwards. ``headers``:
    all of them, names in lower case; of one that comes twice the last."""

    method: str
    path: str
    length: int | None
    content_type: str = ""
    expects: bool = False
    goes_on: bool = True
    headers: Mapping[str, str] = field(default_factory=dict, repr=False, compare=False)

    @property
    def has_body(self) -> bool:
        return self.length != 0


def media_type(text: str) -> str:
    """Of a Content-Type: without its parameters."""
    return text.partition(";")[0].strip().lower()


def read_request(incoming: Incoming, channel: Channel) -> Request | None:
    """The next one; None when the client has closed. Raises BadRequest, OSError."""
    channel.until_s = time.monotonic() + _IDLE_S
    try:
        return _read(incoming, channel)
    except BadAnswer as error:
        raise BadRequest(431, f"{error}".replace("of it", "of the request")) from error
    except h11.RemoteProtocolError as error:
        raise BadRequest(error.error_status_hint, one_line(str(error))[:_TOLD]) from error


def _read(incoming: Incoming, channel: Channel) -> Request | None:
    reader = h11.Connection(h11.SERVER, max_incomplete_event_size=2 * _HEAD)
    try:
        line = incoming.line(_LINE, channel.until_s)
    except (Ended, TimeoutError):
        return None
    channel.until_s = time.monotonic() + _HEAD_S
    taken = 0
    while True:
        taken += len(line) + 2
        if taken > _HEAD:
            raise BadRequest(431, f"the request's head is longer than {_HEAD:,} bytes")
        reader.receive_data(line + b"\r\n")
        if not line:
            break
        try:
            line = incoming.line(_LINE, channel.until_s)
        except TimeoutError as error:
            raise BadRequest(408, f"the request's head was not complete within {_HEAD_S:.0f} s") from error
    found = reader.next_event()
    if not isinstance(found, h11.Request):
        raise BadRequest(400, "this is no request")
    return _request(found, expects=reader.they_are_waiting_for_100_continue)


def _request(found: h11.Request, *, expects: bool) -> Request:
    if found.http_version not in (b"1.0", b"1.1"):
        raise BadRequest(505, "only HTTP/1.1 and HTTP/1.0 are spoken here")
    headers = dict(found.headers)
    chunked = b"transfer-encoding" in headers
    # Two ends of one body: whichever of two hops believes the other one reads the rest as a request of its own.
    if chunked and b"content-length" in headers:
        raise BadRequest(400, "a request has a Content-Length or a Transfer-Encoding, not both")
    if chunked and found.http_version < b"1.1":
        raise BadRequest(400, "HTTP/1.0 has no Transfer-Encoding")
    connection = headers.get(b"connection", b"").lower()
    return Request(
        method=found.method.decode(),
        path=found.target.decode().partition("?")[0],
        length=None if chunked else int(headers.get(b"content-length", b"0")),
        content_type=headers.get(b"content-type", b"").decode("latin-1"),
        expects=expects,
        goes_on=found.http_version >= b"1.1" and b"close" not in connection,
        headers={name.decode("latin-1"): value.decode("latin-1") for name, value in headers.items()},
    )
