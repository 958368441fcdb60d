"""A server of resumable uploads (tus 1.0), on loopback and behind TLS, that does to its client what it is told.

It stands for any server of the protocol; what ours does is tested with ours.
"""

from __future__ import annotations

import http.server
import secrets
import socket
import ssl
import threading
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.certificates import Authority

from cdi.cli.sending.peer import Address, Peer

NAME = "cdi-upload-disk.team.svc"


@dataclass
class Conduct:
    """``knows_sessions``; ``cuts``: after so many bytes of data each, connections are cut, one after the other;
    ``largest``: bytes that a request may have; ``early``: (status, text) for whatever is asked next; ``forgets``: how
    many sessions are lost at the first request for them."""

    knows_sessions: bool = True
    cuts: list[int] = field(default_factory=list)
    largest: int = 1 << 40
    early: list[tuple[int, str]] = field(default_factory=list)
    forgets: int = 0


@dataclass
class Taken:
    """``length``: announced. ``metadata``: as it was sent."""

    length: int
    metadata: str
    data: bytearray = field(default_factory=bytearray)


class SessionServer:
    """``sessions``: by their paths. ``tokens``: that were shown. ``received``: bytes of data of all requests."""

    def __init__(self, directory: Path) -> None:
        self.authority = Authority(directory)
        self.conduct = Conduct()
        self.sessions: dict[str, Taken] = {}
        self.plain: list[bytes] = []
        self.asked: list[str] = []
        self.tokens: set[str] = set()
        self.received = 0
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"owner": self}))
        self._server.daemon_threads = True
        pair = self.authority.issue("upload", f"DNS:{NAME}")
        self._server.socket = pair.server_context().wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(30)

    @property
    def port(self) -> int:
        return int(self._server.server_address[1])

    def peer(self, name: str = NAME) -> Peer:
        def dial() -> socket.socket:
            return socket.create_connection(("127.0.0.1", self.port), 30)

        return Peer(Address(dial, name, name), ssl.create_default_context(cafile=str(self.authority.cert)))


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: SessionServer

    def log_message(self, format: str, *args: Any) -> None:
        """Silent."""

    def answer(self, status: int, text: str = "", **headers: object) -> None:
        self.send_response(status)
        headers |= {"Connection": "close"} if self.close_connection else {}
        for name, value in {**headers, "Content-Length": len(text)}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(text.encode())

    def attend(self) -> bool:
        """Whether the request is to be looked at."""
        self.owner.asked.append(f"{self.command} {self.path}")
        self.owner.tokens.add(self.headers.get("Authorization", ""))
        if self.owner.conduct.early:
            self.close_connection = True
            self.answer(*self.owner.conduct.early.pop(0))
            return False
        return True

    def do_OPTIONS(self) -> None:
        if self.attend():
            if self.owner.conduct.knows_sessions:
                self.answer(204, Tus_Version="1.0.0", Tus_Extension="creation")
            else:
                self.answer(404)

    def do_HEAD(self) -> None:
        if not self.attend():
            return
        session = self.session()
        if session is not None:
            self.answer(200, Upload_Offset=len(session.data), Upload_Length=session.length)
        else:
            self.answer(200 if self.path.endswith("-async") else 404)

    def session(self) -> Taken | None:
        if self.owner.conduct.forgets and self.owner.sessions.pop(self.path, None) is not None:
            self.owner.conduct.forgets -= 1
        return self.owner.sessions.get(self.path)

    def do_POST(self) -> None:
        if not self.attend():
            return
        if "Upload-Length" not in self.headers:
            self.owner.plain.append(self.rfile.read(int(self.headers["Content-Length"])))
            self.answer(200)
            return
        path = f"{self.path}/{secrets.token_hex(8)}"
        self.owner.sessions[path] = Taken(int(self.headers["Upload-Length"]), self.headers["Upload-Metadata"])
        self.answer(201, Location=path)

    def do_DELETE(self) -> None:
        if self.attend():
            self.answer(204 if self.owner.sessions.pop(self.path, None) is not None else 404)

    def do_PATCH(self) -> None:
        if not self.attend():
            return
        session, left = self.session(), int(self.headers["Content-Length"])
        if session is None:
            self.close_connection = True
            self.answer(404)
        elif left > self.owner.conduct.largest:
            self.close_connection = True
            self.answer(413)
        elif int(self.headers["Upload-Offset"]) != len(session.data):
            self.close_connection = True
            self.answer(409)
        else:
            self.take(session, left)

    def take(self, session: Taken, left: int) -> None:
        cut = self.owner.conduct.cuts.pop(0) if self.owner.conduct.cuts else None
        while left:
            part = self.rfile.read(min(left, 1 << 14, left if cut is None else max(1, cut)))
            if not part:
                return
            session.data += part
            self.owner.received += len(part)
            left -= len(part)
            if cut is not None:
                cut -= len(part)
                if cut <= 0:
                    socket.socket.shutdown(self.connection, socket.SHUT_RDWR)
                    self.close_connection = True
                    return
        self.answer(204, Upload_Offset=len(session.data))
