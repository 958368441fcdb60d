"""The other end of an upload: an HTTP server behind TLS, whichever way leads to it."""

from __future__ import annotations

import contextlib
import errno
import http.client
import socket
import ssl
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from cdi.base.printable import excerpt

_ANSWER_S = 300.0  # the last bytes are answered when the disk is on its storage
_LONGEST = 16 << 10  # bytes of an answer's text

Dial = Callable[[], socket.socket]


@dataclass(frozen=True, slots=True)
class Answer:
    """``headers``: by their names in small letters. ``text``: the body, at most 16 KiB of it."""

    status: int
    headers: Mapping[str, str]
    text: str = ""

    @property
    def said(self) -> str:
        """For people."""
        return excerpt(" ".join(self.text.split()), 2000) or f"status {self.status}, without a word"


@dataclass(frozen=True, slots=True)
class Body:
    """``length`` bytes, as ``pieces`` together have."""

    pieces: Iterable[bytes | memoryview]
    length: int
    media_type: str


@dataclass(frozen=True, slots=True)
class Address:
    """``dial``: makes a connection. ``name``: in the certificate. ``host``: for requests. ``prefix``: of all paths.
    ``interrupt``: makes a ``dial`` that is waited for fail."""

    dial: Dial
    name: str
    host: str
    prefix: str = ""
    interrupt: Callable[[], None] = lambda: None


class Peer:
    """One connection is kept and used again. Blocking; raises OSError (an ``ssl.SSLError`` for what ``context`` does
    not trust), http.client.HTTPException for what is no HTTP, and what ``dial`` raises."""

    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        self._connection = _Connection(address, context)
        self._address = address

    def ask(self, method: str, path: str, headers: Mapping[str, str], body: Body | None = None) -> Answer:
        """After an error nothing is known of what became of the request."""
        try:
            return self._asked(method, path, headers, body)
        except BaseException:
            self._connection.close()
            raise

    def _asked(self, method: str, path: str, headers: Mapping[str, str], body: Body | None) -> Answer:
        connection = self._connection
        connection.putrequest(method, self._address.prefix + path, skip_accept_encoding=True)
        for name, value in headers.items():
            connection.putheader(name, value)
        if body is not None:
            connection.putheader("Content-Type", body.media_type)
            connection.putheader("Content-Length", str(body.length))
        connection.endheaders()
        lost: OSError | None = None
        try:
            for piece in body.pieces if body is not None else ():
                connection.send(piece)
        except OSError as error:
            lost = error  # the answer may have come before
        try:
            answer = connection.getresponse()
        except (OSError, http.client.HTTPException):
            if lost is not None:
                raise lost from None
            raise
        text = answer.read(_LONGEST).decode(errors="replace")
        if lost is not None or not answer.isclosed():
            connection.close()
        return Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, text)

    def interrupt(self) -> None:
        """Makes a request that is under way fail soon, and every later one. From another thread."""
        self._address.interrupt()
        self._connection.cut()

    def close(self) -> None:
        self._connection.close()


class _Connection(http.client.HTTPConnection):
    def __init__(self, address: Address, context: ssl.SSLContext) -> None:
        super().__init__(address.host)
        self._address = address
        self._context = context
        self._is_cut = False

    def connect(self) -> None:
        plain = self._address.dial()
        plain.settimeout(_ANSWER_S)
        try:
            channel = self._context.wrap_socket(
                plain, server_hostname=self._address.name, do_handshake_on_connect=False
            )
        except BaseException:
            plain.close()
            raise
        self.sock = channel
        if self._is_cut:  # before the line above: cut() found no socket
            raise OSError(errno.ECANCELED, "interrupted")
        channel.do_handshake()

    def cut(self) -> None:
        self._is_cut = True
        held = self.sock
        if held is not None:
            with contextlib.suppress(OSError):
                # Not the method of TLS, which takes its state from the thread that uses it.
                socket.socket.shutdown(held, socket.SHUT_RDWR)
