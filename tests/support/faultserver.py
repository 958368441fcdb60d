"""An HTTP server on loopback that misbehaves exactly as told, and records what it was asked and what it sent.

    with FaultServer() as server:
        url = server.add("/disk.img", Route(body=data, reset_at={1: 1000}))
        ...
        assert [r.status for r in server.requests] == [206, 206]

A ``Route`` describes one path; its fields combine. Requests of a path are numbered from 1.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import re
import socket
import ssl
import struct
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

_REASONS = {200: "OK", 206: "Partial Content", 404: "Not Found", 416: "Range Not Satisfiable", 429: "Too Many Requests"}
_PIECE = 64 * 1024


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:16]}"'


@dataclass(frozen=True)
class Route:
    """How one path answers. Without any field set: a file with ranges, a strong ETag and If-Range."""

    body: bytes = b""
    etag: str | None = "auto"  # auto: from the body; None: no ETag
    last_modified: str | None = None
    content_type: str = "application/octet-stream"
    headers: Mapping[str, str] = field(default_factory=dict)  # added to every answer

    # framing
    ranges: bool = True  # False: Range is ignored
    ignore_ranges_after: int | None = None  # Range is ignored after so many requests
    chunked: bool = False
    chunked_cut: int = 0  # so many bytes are missing before a proper last chunk
    no_length: bool = False  # HTTP/1.0 manner: the end of the connection ends the body
    declared_length: int | None = None  # a lying Content-Length
    content_range_shift: int = 0  # a wrong Content-Range: start and end moved by so much
    content_range_total: int | None = None  # a wrong total
    gzip_encoding: bool = False  # Content-Encoding: gzip, on the way
    content_encoding: str = ""  # any other value, body as it is

    # statuses
    status: int = 200  # everything else: a short text body
    status_body: bytes = b"no\n"
    first: tuple[int, int] | None = None  # (k, status): the first k requests get this status
    after: tuple[int, int] | None = None  # (k, status): requests after the first k get this status
    head_status: int | None = None  # HEAD gets this status
    redirect: str | Callable[[int], str] | None = None  # Location; a callable gets the request's number
    redirect_status: int = 302
    requires: tuple[str, str] | None = None  # (header, value), else 401

    # content that changes: (k, body): requests after the first k see this file
    changes: tuple[int, bytes] | None = None

    # transport
    reset_at: Mapping[int, int] = field(default_factory=dict)  # request number -> RST after so many body bytes
    cut_at: Mapping[int, int] = field(default_factory=dict)  # the same with an orderly FIN
    stall_at: Mapping[int, int] = field(default_factory=dict)  # the same: nothing more until the server is closed
    withheld: tuple[int, int] | None = None  # [start, end) of the file never comes: an answer stalls there
    trickle: tuple[int, float] | None = None  # (bytes, seconds): so many bytes at a time, with pauses
    delay_s: float | Callable[[], float] = 0.0  # before the status line; a callable is asked for every answer
    trailing: bytes = b""  # sent right behind the body, as part of no answer
    closes_silently: bool = False  # closes after each answer without announcing it

    def version(self, number: int) -> Route:
        if self.changes is not None and number > self.changes[0]:
            return Route(**{**self.__dict__, "body": self.changes[1], "changes": None})
        return self


@dataclass
class Record:
    """One request as the server saw it. ``bytes_sent``: of the body."""

    method: str
    path: str
    headers: dict[str, str]  # names in lower case
    status: int = 0
    bytes_sent: int = 0
    connection: int = 0  # number of the connection it came over


class FaultServer:
    """Listens from construction to ``close``. ``host``: any loopback address, so that hosts can differ."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        self.host = host
        self.requests: list[Record] = []
        self.connections = 0
        self._tls = tls
        self._routes: dict[str, Route] = {}
        self._counts: dict[str, int] = {}
        self._lock = threading.Lock()
        self._sockets: set[socket.socket] = set()
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()
        self._changed = threading.Condition(self._lock)
        self._listener = socket.create_server((host, 0))
        self.port = self._listener.getsockname()[1]
        self._accepter = threading.Thread(target=self._accept, name="faultserver", daemon=True)
        self._accepter.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # --- what tests use -------------------------------------------------------------------------------------------

    def add(self, path: str, route: Route) -> str:
        """Serve ``route`` at ``path`` from now on (its count starts again); returns the URL."""
        with self._lock:
            self._routes[path] = route
            self._counts[path] = 0
        return self.url(path)

    def url(self, path: str) -> str:
        return f"{'https' if self._tls else 'http'}://{self.host}:{self.port}{path}"

    @property
    def bytes_sent(self) -> int:
        return sum(record.bytes_sent for record in self.requests)

    def statuses(self, path: str | None = None) -> list[int]:
        return [record.status for record in self.requests if path in (None, record.path)]

    def wait_for_bytes(self, count: int, timeout_s: float = 10) -> None:
        """Block until so many body bytes were sent in total."""
        with self._changed:
            if not self._changed.wait_for(lambda: self.bytes_sent >= count, timeout_s):
                raise TimeoutError(f"only {self.bytes_sent} of {count} bytes were sent")

    def sent_or(self, count: int, ended: Callable[[], bool]) -> bool:
        """Block until so many body bytes were sent in total, or ``ended()``, which is looked at often; whether they
        were."""
        with self._changed:
            while self.bytes_sent < count and not ended():
                self._changed.wait(0.02)
            return self.bytes_sent >= count

    def close(self) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._accepter.join(5)
        with self._lock:
            sockets, threads = list(self._sockets), list(self._threads)
        for sock in sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
        for thread in threads:
            thread.join(5)

    # --- connections ----------------------------------------------------------------------------------------------

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            with self._lock:
                self.connections += 1
                number = self.connections
            thread = threading.Thread(target=self._serve, args=(sock, number), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket, number: int) -> None:
        if self._closing.is_set():
            sock.close()
            return
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            with self._lock:
                self._sockets.add(sock)
            reader = sock.makefile("rb")
            while self._serve_one(sock, reader, number):
                pass
            reader.close()
        except (OSError, ValueError):
            pass  # the client went away, or refused our certificate
        finally:
            with self._lock:
                self._sockets.discard(sock)
            with contextlib.suppress(OSError):
                sock.close()

    def _serve_one(self, sock: socket.socket, reader: object, number: int) -> bool:
        """One request; False when the connection ends."""
        line = reader.readline()  # type: ignore[attr-defined]
        if not line.strip():
            return False
        method, target, _ = line.decode("latin-1").split(None, 2)
        headers: dict[str, str] = {}
        while line := reader.readline().strip():  # type: ignore[attr-defined]
            name, _, value = line.decode("utf-8").partition(":")
            headers[name.lower()] = value.strip()
        path = re.sub(r"^http://[^/]+", "", target)
        record = Record(method, path, headers, connection=number)
        place = path.partition("?")[0]
        with self._lock:
            self.requests.append(record)
            self._counts[place] = self._counts.get(place, 0) + 1
            count = self._counts[place]
            route = self._routes.get(place, Route(status=404))
        return _Answer(self, sock, record, route.version(count), count).send()

    def sent(self, record: Record, count: int) -> None:
        with self._changed:
            record.bytes_sent += count
            self._changed.notify_all()

    def pause(self, seconds: float | None) -> bool:
        """Wait, or until the server closes; True when it closes."""
        return self._closing.wait(seconds)


class _Answer:
    def __init__(self, server: FaultServer, sock: socket.socket, record: Record, route: Route, number: int) -> None:
        self.server, self.sock, self.record, self.route, self.number = server, sock, record, route, number
        self.etag = etag_of(route.body) if route.etag == "auto" else route.etag
        self.start = 0  # of what is sent, in the file

    def send(self) -> bool:
        delay_s = self.route.delay_s() if callable(self.route.delay_s) else self.route.delay_s
        if delay_s and self.server.pause(delay_s):
            return False
        status = self._status()
        if status == 200 and self.route.redirect is not None:
            to = self.route.redirect
            location = to if isinstance(to, str) else to(self.number)
            return self._send(self.route.redirect_status, {"Location": location}, b"moved\n")
        if status != 200:
            return self._send(status, {}, self.route.status_body)
        return self._send_file()

    def _status(self) -> int:
        route, number = self.route, self.number
        if self.record.method == "HEAD" and route.head_status is not None:
            return route.head_status
        if route.requires is not None and self.record.headers.get(route.requires[0].lower()) != route.requires[1]:
            return 401
        if route.first is not None and number <= route.first[0]:
            return route.first[1]
        if route.after is not None and number > route.after[0]:
            return route.after[1]
        return route.status

    def _send_file(self) -> bool:
        route = self.route
        headers = {"Content-Type": route.content_type}
        if self.etag:
            headers["ETag"] = self.etag
        if route.last_modified:
            headers["Last-Modified"] = route.last_modified
        body = route.body
        if route.content_encoding:
            headers["Content-Encoding"] = route.content_encoding
        if route.gzip_encoding:
            headers["Content-Encoding"] = "gzip"
            body = gzip.compress(body, 1)
        span = self._wanted(len(body))
        if span is None:
            return self._send(200, headers, body)
        start, end = span
        total = len(body) if route.content_range_total is None else route.content_range_total
        if start >= len(body):
            return self._send(416, {"Content-Range": f"bytes */{total}"}, b"")
        shift = route.content_range_shift
        headers["Content-Range"] = f"bytes {start + shift}-{end - 1 + shift}/{total}"
        self.start = start
        return self._send(206, headers, body[start:end])

    def _wanted(self, size: int) -> tuple[int, int] | None:
        route = self.route
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.record.headers.get("range", ""))
        is_ignored = route.ignore_ranges_after is not None and self.number > route.ignore_ranges_after
        if not match or not route.ranges or is_ignored:
            return None
        condition = self.record.headers.get("if-range")
        if condition is not None and condition != self.etag:
            return None
        return int(match[1]), min(size, int(match[2]) + 1 if match[2] else size)

    def _send(self, status: int, headers: dict[str, str], body: bytes) -> bool:
        route = self.route
        self.record.status = status
        is_content = status in (200, 206)
        headers = {**headers, **route.headers}
        chunked = route.chunked and is_content
        closes = route.no_length and is_content
        if chunked:
            headers["Transfer-Encoding"] = "chunked"
            body = body[: len(body) - route.chunked_cut]
        elif not closes:
            lie = route.declared_length if is_content else None
            headers["Content-Length"] = str(len(body) if lie is None else lie)
        if closes:
            headers["Connection"] = "close"
        lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.sock.sendall("\r\n".join([*lines, "", ""]).encode("utf-8"))
        if self.record.method == "HEAD":
            return True
        if not self._send_body(body, chunked):
            return False
        return not (closes or route.closes_silently or (route.declared_length is not None and is_content))

    def _send_body(self, body: bytes, chunked: bool) -> bool:
        """False when the connection was broken on purpose."""
        stops = [(plan[self.number], kind) for plan, kind in self._breaks() if self.number in plan]
        if self.route.withheld is not None:
            start, end = (place - self.start for place in self.route.withheld)
            if start < len(body) and end > 0:
                stops.append((max(0, start), "stall"))
        limit, kind = min(stops, default=(len(body), ""))
        step, pause_s = self.route.trickle or (_PIECE, 0.0)
        position = 0
        while position < min(limit, len(body)):
            piece = body[position : min(position + step, limit)]
            sent = b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece
            if position + len(piece) == len(body):
                sent += self.route.trailing
            # Counted first: a test that has received the bytes must find them counted.
            self.server.sent(self.record, len(piece))
            try:
                self.sock.sendall(sent)
            except OSError:
                self.server.sent(self.record, -len(piece))
                raise
            position += len(piece)
            if pause_s and self.server.pause(pause_s):
                return False
        if kind:
            self._break(kind)
            return False
        if chunked:
            self.sock.sendall(b"0\r\n\r\n")
        return True

    def _breaks(self) -> list[tuple[Mapping[int, int], str]]:
        return [(self.route.reset_at, "reset"), (self.route.cut_at, "cut"), (self.route.stall_at, "stall")]

    def _break(self, kind: str) -> None:
        if kind == "stall":
            self.server.pause(None)
        elif kind == "reset":
            # Let the client have the bytes before the RST: it would discard what is unread in our direction only.
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.sock.close()
