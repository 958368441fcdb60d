"""Connections to a server, direct or through a proxy: TCP, CONNECT, TLS.

Sockets are opened here and not by urllib3: importing urllib3.connection takes 60 ms, more than half of a worker's
start-up, and its CONNECT reports a refusal only as text. Only TLS inside TLS (an https proxy) borrows its transport.
"""

from __future__ import annotations

import contextlib
import logging
import select
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import cast

from cdi.base.faults import Fault
from importer.sources import guard
from importer.sources.answers import status_code_name, status_text
from importer.sources.head import read_head
from importer.sources.incoming import BadAnswer, Ended, Incoming
from importer.sources.live import LiveSockets
from importer.sources.patient import PatientSocket
from importer.sources.proxy import Proxy, choose_proxy
from importer.sources.trust import Trust
from importer.sources.url import HttpUrl

log = logging.getLogger("importer")

# Contract: operators' proxy rules and logs match on this name.
USER_AGENT = "cdi-golang-importer"


@dataclass(frozen=True, slots=True)
class Route:
    """Connections of equal routes are interchangeable."""

    scheme: str
    host: str
    port: int
    proxy: Proxy | None

    @property
    def host_port(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_forwarded(self) -> bool:
        """Plain http through a proxy: requests carry the whole URL."""
        return self.proxy is not None and self.scheme == "http"


def route_to(url: HttpUrl, environ: Mapping[str, str]) -> Route:
    return Route(url.scheme, url.host, url.port, choose_proxy(url, environ))


@dataclass(eq=False, slots=True)
class Connection:
    """One connection. ``sock`` is what is written to; ``raw`` has the file descriptor."""

    route: Route
    incoming: Incoming
    sock: socket.socket
    raw: socket.socket
    live: LiveSockets
    used: bool = False  # has carried an answer before

    @property
    def is_idle(self) -> bool:
        """Nothing to read. An idle connection with something to read was closed, or holds bytes of nobody's answer."""
        if self.incoming.has_ahead or (isinstance(self.raw, ssl.SSLSocket) and self.raw.pending()):
            return False
        try:
            poll = select.poll()
            poll.register(self.raw.fileno(), select.POLLIN)
            return not poll.poll(0)
        except (OSError, ValueError):
            return False

    def close(self) -> None:
        self.live.discard(self.raw)
        with contextlib.suppress(OSError):
            self.sock.close()


@dataclass(frozen=True, slots=True)
class Dialer:
    """Opens connections. Blocking, at most ``connect_timeout_s`` per step; ``stall_timeout_s`` holds afterwards."""

    trust: Trust
    live: LiveSockets
    connect_timeout_s: float
    stall_timeout_s: float
    guarded: bool = False  # see SourceSpec

    def dial(self, route: Route) -> Connection:
        """Raises Fault HostUnknown, AddressForbidden, ConnectionRefused, ProxyRefused, Tls*, Cancelled."""
        raw: socket.socket | None = None
        try:
            raw, sock = self._open(route)
        except Fault:
            self.live.check(0)
            raise
        log.debug("connected to %s", route.host_port)
        if isinstance(sock, PatientSocket):
            sock.become_patient(self.stall_timeout_s)
        else:
            sock.settimeout(self.stall_timeout_s)
        return Connection(route, Incoming(sock), sock, raw, self.live)

    @property
    def head_timeout_s(self) -> float:
        """A server may think for as long as it may stall, and then still has to say all of its head."""
        return 2 * self.stall_timeout_s

    def _open(self, route: Route) -> tuple[socket.socket, socket.socket]:
        """(the socket with the descriptor, the socket to read and write)."""
        if route.proxy is None:
            raw = self._connect(route.host, route.port, route.host_port, guarded=self.guarded)
            if route.scheme == "http":
                return raw, raw
            raw = self._encrypt(raw, route.host, route.host_port)
            return raw, raw
        address = route.proxy.url
        raw = self._connect(address.host, address.port, f"the proxy {address.host_port}")
        if address.scheme == "https":
            raw = self._encrypt(raw, address.host, f"the proxy {address.host_port}")
        if route.is_forwarded:
            return raw, raw
        with self._closing_on_failure(raw):
            self._tunnel(raw, route, route.proxy)
        if isinstance(raw, ssl.SSLSocket):
            with self._closing_on_failure(raw):
                return raw, self._encrypt_within(raw, route)
        raw = self._encrypt(raw, route.host, route.host_port)
        return raw, raw

    def _connect(self, host: str, port: int, shown: str, *, guarded: bool = False) -> socket.socket:
        try:
            addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            cause = (error.strerror if isinstance(error, socket.gaierror) else None) or "not a host name"
            raise Fault("HostUnknown", host=host, cause=cause) from error
        if guarded:
            addresses = guard.allowed(addresses, shown)
        failure: OSError = OSError("no address")
        for family, kind, protocol, _, address in addresses:
            sock = PatientSocket(family, kind, protocol)
            self.live.add(sock)
            try:
                sock.settimeout(self.connect_timeout_s)
                sock.connect(address)
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
                return sock
            except OSError as error:
                self._drop(sock)
                failure = error
                self.live.check(0)
        raise Fault("ConnectionRefused", host=shown, cause=self._cause(failure)) from failure

    def _encrypt(self, sock: socket.socket, host: str, shown: str) -> ssl.SSLSocket:
        with self._closing_on_failure(sock):
            context = self.trust.context()
        # suppress_ragged_eofs=False: an end without close_notify is no proof that a body without length is complete.
        secure = context.wrap_socket(
            sock, server_hostname=host.rstrip("."), do_handshake_on_connect=False, suppress_ragged_eofs=False
        )
        self.live.replace(sock, secure)
        with self._closing_on_failure(secure), self._handshake(shown):
            secure.do_handshake()
        return secure

    def _encrypt_within(self, sock: ssl.SSLSocket, route: Route) -> socket.socket:
        from urllib3.util.ssltransport import SSLTransport

        with self._handshake(route.host_port):
            inner = SSLTransport(sock, self.trust.context(), route.host.rstrip("."), suppress_ragged_eofs=False)
        return cast(socket.socket, inner)  # it has all of a socket's methods that are used here

    @contextlib.contextmanager
    def _handshake(self, shown: str) -> Iterator[None]:
        try:
            yield
        except (ssl.SSLEOFError, ssl.SSLZeroReturnError, TimeoutError) as error:
            cause = "timed out" if isinstance(error, TimeoutError) else "closed"
            raise Fault("ConnectionRefused", host=shown, cause=f"{cause} during the TLS handshake") from error
        except ssl.SSLError as error:
            raise self.trust.fault(error, shown) from error
        except OSError as error:
            cause = f"{self._cause(error)} during the TLS handshake"
            raise Fault("ConnectionRefused", host=shown, cause=cause) from error

    def _tunnel(self, sock: socket.socket, route: Route, proxy: Proxy) -> None:
        """CONNECT (RFC 9110, 9.3.6). Every 2xx opens the tunnel; it has no body, and nothing follows it unasked."""
        lines = [f"CONNECT {route.host_port} HTTP/1.1", f"Host: {route.host_port}", f"User-Agent: {USER_AGENT}"]
        if proxy.authorization:
            lines.append(f"Proxy-Authorization: {proxy.authorization}")
        incoming = Incoming(sock)
        try:
            sock.sendall("\r\n".join([*lines, "", ""]).encode("ascii"))
            answer = read_head(incoming, 2 * self.connect_timeout_s)
            if 200 <= answer.status < 300 and incoming.has_ahead:
                raise BadAnswer("bytes follow it that nobody asked for")
        except (OSError, BadAnswer) as error:
            cause = self._cause(error) if isinstance(error, OSError) else f"no HTTP answer to CONNECT: {error}"
            raise Fault("ConnectionRefused", host=f"the proxy {proxy.url.host_port}", cause=cause) from error
        if not 200 <= answer.status < 300:
            raise _tunnel_refused(answer.status, answer.reason, proxy)

    @contextlib.contextmanager
    def _closing_on_failure(self, sock: socket.socket) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._drop(sock)
            raise

    def _drop(self, sock: socket.socket) -> None:
        self.live.discard(sock)
        sock.close()

    def _cause(self, error: OSError) -> str:
        if isinstance(error, TimeoutError):
            return f"no answer within {self.connect_timeout_s:g} s"
        if isinstance(error, Ended):
            return str(error)
        return (error.strerror or type(error).__name__).lower()


def _tunnel_refused(status: int, reason: str, proxy: Proxy) -> Fault:
    text = status_text(status, reason)
    if status_code_name(status) == "SourceUnavailable":  # the proxy is fine, what is behind it is not
        return Fault("SourceUnavailable", source=f"CONNECT through {proxy.name}", status=text)
    return Fault("ProxyRefused", proxy=proxy.name, status=text)
