"""Keep-alive connections, and one request over one of them."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources.answers import status_text
from importer.sources.chunks import Chunks
from importer.sources.connection import USER_AGENT, Connection, Dialer, Route, route_to
from importer.sources.credentials import Header
from importer.sources.head import Head, Headers, read_head
from importer.sources.incoming import BadAnswer, Ended
from importer.sources.url import HttpUrl, sent

_DRAIN_LIMIT = 16 * 1024  # a longer body of no interest costs more than a new connection
_DRAIN_S = 5.0  # and so does one that comes in drops


@dataclass(frozen=True, slots=True)
class Request:
    """A GET. ``got``: position in the file, for messages of faults. ``ask``: Range and If-Range."""

    url: HttpUrl
    headers: tuple[Header, ...] = field(default=(), repr=False)
    ask: tuple[Header, ...] = ()
    got: int = 0


@dataclass(eq=False, slots=True)
class Answer:
    """The head of an answer; the body waits on the connection. Ends with ``release`` or ``drop``."""

    request: Request
    head: Head
    connection: Connection
    pool: Pool

    @property
    def url(self) -> HttpUrl:
        return self.request.url

    @property
    def status(self) -> int:
        return self.head.status

    @property
    def headers(self) -> Headers:
        return self.head.headers

    def chunks(self) -> Chunks:
        return Chunks(self.connection.incoming, self.pool.head_timeout_s)

    def drop(self) -> None:
        self.connection.close()

    def release(self) -> None:
        """Give the connection back; only after the body was read to its end."""
        if self.head.keeps:
            self.pool.put(self.connection)
        else:
            self.connection.close()

    def discard(self) -> bytes:
        """Read a short body and give the connection back, else drop it. Returns what was read; never raises."""
        data = bytearray()
        ended = False
        with contextlib.suppress(OSError, ValueError, BadAnswer):
            ended = self._drain(data)
        if ended:
            self.release()
        else:
            self.drop()
        return bytes(data)

    def _drain(self, data: bytearray) -> bool:
        """Read up to the limit into ``data``; whether that was all."""
        length = self.head.length
        read = self.chunks().readinto if self.head.chunked else self.connection.incoming.fill
        most = _DRAIN_LIMIT if length is None else min(length, _DRAIN_LIMIT)
        until_s = time.monotonic() + _DRAIN_S
        buffer = memoryview(bytearray(_DRAIN_LIMIT))
        while len(data) < most and time.monotonic() < until_s:
            count = read(buffer[: most - len(data)])
            if count == 0:
                return length is None
            data += buffer[:count]
        return len(data) == length


class Pool:
    """Safe from several threads; ``_lock`` guards ``_idle``. Bounded by the number of concurrent readers."""

    def __init__(self, name: str, dialer: Dialer, environ: Mapping[str, str]) -> None:
        self._name = name
        self._dialer = dialer
        self._environ = environ
        self._lock = threading.Lock()
        self._idle: list[Connection] = []

    def get(self, request: Request) -> Answer:
        """Send and wait for the status line. Blocking. Raises Fault. A connection that the server had closed while
        it was idle is replaced once: the server cannot have acted on the request."""
        self._dialer.live.check(request.got)
        route = route_to(request.url, self._environ)
        connection = self._take(route)
        if connection is not None:
            try:
                return self._exchange(connection, request)
            except (ConnectionError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                self._dialer.live.check(request.got)
            except (OSError, BadAnswer) as error:
                raise self.fault(error, request.got) from error
        try:
            return self._exchange(self._dialer.dial(route), request)
        except (OSError, BadAnswer) as error:
            raise self.fault(error, request.got) from error

    def put(self, connection: Connection) -> None:
        connection.used = True
        with self._lock:
            self._idle.append(connection)

    def close(self) -> None:
        with self._lock:
            idle, self._idle = self._idle, []
        for connection in idle:
            connection.close()

    def fault(self, error: Exception, got: int) -> Fault:
        """What a failed send or receive means. Cancelled when it was us who cut the connection."""
        self._dialer.live.check(got)
        if isinstance(error, TimeoutError):
            seconds = f"{self._dialer.stall_timeout_s:g}"
            return Fault("SourceStalled", source=self._name, seconds=seconds, got=got)
        return Fault("ConnectionLost", source=self._name, got=got, cause=_cause(error))

    @property
    def head_timeout_s(self) -> float:
        return self._dialer.head_timeout_s

    def check(self, got: int) -> None:
        self._dialer.live.check(got)

    def _take(self, route: Route) -> Connection | None:
        while True:
            with self._lock:
                found = next((c for c in reversed(self._idle) if c.route == route), None)
                if found is None:
                    return None
                self._idle.remove(found)
            if found.is_idle:
                return found
            found.close()

    def _exchange(self, connection: Connection, request: Request) -> Answer:
        try:
            connection.sock.sendall(_lines(connection.route, request))
            head = read_head(connection.incoming, self.head_timeout_s)
        except BaseException:
            connection.close()
            raise
        answer = Answer(request, head, connection, self)
        proxy = connection.route.proxy
        if answer.status == 407 and proxy is not None:
            answer.drop()
            raise Fault("ProxyRefused", proxy=proxy.name, status=status_text(407, head.reason))
        return answer


def _lines(route: Route, request: Request) -> bytes:
    """The whole request. ``Name:`` without a value takes one of our own away, as with curl."""
    target = str(request.url) if route.is_forwarded else request.url.target
    given = {name.lower() for name, _ in request.headers}
    own = [("Host", request.url.authority), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    headers = [(name, value) for name, value in own if name.lower() not in given]
    names = {name.lower() for name, _ in own}
    asked = [(name, value) for name, value in request.headers if value or name.lower() not in names]
    # A compressed transfer has no ranges and no length; images are compressed already when it pays.
    headers.append(("Accept-Encoding", "identity"))
    if route.is_forwarded and route.proxy is not None and route.proxy.authorization:
        headers.append(("Proxy-Authorization", route.proxy.authorization))
    lines = [f"{name}: {value}" for name, value in (*headers, *asked, *request.ask)]
    return sent("\r\n".join([f"GET {target} HTTP/1.1", *lines, "", ""]))


def _cause(error: Exception) -> str:
    if isinstance(error, BadAnswer):
        return f"the answer is not valid HTTP: {error}"
    if isinstance(error, Ended):
        return str(error)
    if isinstance(error, socket.gaierror):
        return "the name could not be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
