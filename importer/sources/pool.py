"""Keep-alive connections, and one request over one of them."""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources.answers import status_text
from importer.sources.connection import USER_AGENT, Connection, Dialer, Route, route_to
from importer.sources.credentials import Header
from importer.sources.url import HttpUrl

_DRAIN_LIMIT = 16 * 1024  # a longer body of no interest costs more than a new connection


@dataclass(frozen=True, slots=True)
class Request:
    """A GET. ``got``: position in the file, for messages of faults. ``ask``: Range and If-Range."""

    url: HttpUrl
    headers: tuple[Header, ...] = field(default=(), repr=False)
    ask: tuple[Header, ...] = ()
    got: int = 0


@dataclass(eq=False, slots=True)
class Answer:
    """Status and headers of an answer; the body waits on the connection. Ends with ``release`` or ``drop``."""

    url: HttpUrl
    response: http.client.HTTPResponse
    connection: Connection
    pool: Pool

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> http.client.HTTPMessage:
        return self.response.headers

    def drop(self) -> None:
        self.response.close()
        self.connection.close()

    def release(self) -> None:
        """Give the connection back; only after the body was read to its end."""
        keep = not self.response.will_close
        self.response.close()
        if keep:
            self.pool.put(self.connection)
        else:
            self.connection.close()

    def discard(self) -> bytes:
        """Read a short body and give the connection back, else drop it. Returns what was read; never raises."""
        length = self.response.length
        try:
            if length is not None and length <= _DRAIN_LIMIT:
                data = self.response.read()
                self.release()
                return data
            data = self.response.read1(_DRAIN_LIMIT)
        except (OSError, ValueError, http.client.HTTPException):
            data = b""
        self.drop()
        return data


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
            except (OSError, http.client.HTTPException) as error:
                raise self.fault(error, request.got) from error
        try:
            return self._exchange(self._dialer.dial(route), request)
        except (OSError, http.client.HTTPException) as error:
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
            _send(connection, request)
            # http.client hands the socket over to an answer after which the server closes.
            response = connection.exchange.getresponse()
        except BaseException:
            connection.close()
            raise
        answer = Answer(request.url, response, connection, self)
        proxy = connection.route.proxy
        if answer.status == 407 and proxy is not None:
            answer.drop()
            raise Fault("ProxyRefused", proxy=proxy.name, status=status_text(407, response.reason))
        return answer


def _send(connection: Connection, request: Request) -> None:
    route, exchange = connection.route, connection.exchange
    target = str(request.url) if route.is_forwarded else request.url.target
    given = {name.lower() for name, _ in request.headers}
    exchange.putrequest("GET", target, skip_host=True, skip_accept_encoding=True)
    own = [("Host", request.url.authority), ("User-Agent", USER_AGENT), ("Accept", "*/*")]
    headers = [(name, value) for name, value in own if name.lower() not in given]
    # A compressed transfer has no ranges and no length; images are compressed already when it pays.
    headers.append(("Accept-Encoding", "identity"))
    if route.is_forwarded and route.proxy is not None and route.proxy.authorization:
        headers.append(("Proxy-Authorization", route.proxy.authorization))
    for name, value in (*headers, *request.headers, *request.ask):
        exchange.putheader(name, value.encode("utf-8"))
    exchange.endheaders()


def _cause(error: Exception) -> str:
    if isinstance(error, http.client.RemoteDisconnected):
        return "closed without an answer"
    if isinstance(error, http.client.IncompleteRead):
        return "the chunked answer broke off"
    if isinstance(error, http.client.HTTPException):
        return f"the answer is not valid HTTP ({type(error).__name__})"
    if isinstance(error, socket.gaierror):
        return "the name could not be resolved"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
