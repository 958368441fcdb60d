"""An upload server in this process, on loopback, and clients that say to it exactly what they are told to say.

with UploadServer(disk, trust) as server:
    assert server.post("/v1beta1/upload", data).status == 200
"""

from __future__ import annotations

import datetime
import socket
import ssl
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from support.certificates import Authority, Pair

from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination
from cdi.base.wire.upload import UploadEnvironment
from importer.cancel import Cancel
from importer.progress import Progress
from uploadproxy.server.pod import Uploading

LOOPBACK = "127.0.0.1"
CLIENT = "client.upload-server.cdi.kubevirt.io"


class Trust:
    """Who may speak with whom. ``stranger``: vouched for, and another one; ``forger``: called like the client."""

    def __init__(self, directory: Path) -> None:
        self.servers, self.clients = Authority(directory / "servers"), Authority(directory / "clients")
        self.server = self.servers.issue("cdi-upload-claim", f"DNS:localhost,IP:{LOOPBACK}")
        self.client = self.clients.issue(CLIENT)
        self.stranger = self.clients.issue("somebody")
        self.forger = Authority(directory / "others").issue(CLIENT)

    def environment(self, disk: Path, **more: str) -> dict[str, str]:
        told = UploadEnvironment(
            key_file=str(self.server.key),
            certificate_file=str(self.server.cert),
            client_ca_file=str(self.clients.cert),
            client_name=CLIENT,
            address=LOOPBACK,
            port=0,
        )
        return told.encode() | {"CDI_TARGET": str(disk)} | more

    def context(self, pair: Pair | None) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.servers.cert))
        if pair is not None:
            context.load_cert_chain(pair.cert, pair.key)
        return context

    def curl(self, pair: Pair | None) -> list[str]:
        """The command's beginning."""
        shown = ["--cert", str(pair.cert), "--key", str(pair.key)] if pair else []
        return ["curl", "-sS", "--max-time", "60", "--cacert", str(self.servers.cert), *shown]


@dataclass(frozen=True)
class Said:
    """An answer. ``text``: its body."""

    status: int
    headers: dict[str, str]
    text: str


class Client:
    """One connection. ``sent``: bytes that the server's kernel has taken."""

    def __init__(self, port: int, context: ssl.SSLContext) -> None:
        plain = socket.create_connection((LOOPBACK, port), 30)
        try:
            self.socket = context.wrap_socket(plain, server_hostname="localhost")
        except BaseException:
            plain.close()
            raise
        self._file = self.socket.makefile("rb")
        self.sent = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def send(self, *pieces: bytes) -> None:
        for piece in pieces:
            self.socket.sendall(piece)
            self.sent += len(piece)

    def heard(self, *, head: bool = False) -> Said:
        """The next answer; ``head``: to a HEAD. Raises EOFError when the server has closed without one."""
        line = self._file.readline()
        if not line:
            raise EOFError("closed without an answer")
        headers = {}
        while (text := self._file.readline().strip()) != b"":
            name, _, value = text.decode().partition(":")
            headers[name.lower()] = value.strip()
        body = b"" if head else self._file.read(int(headers.get("content-length", "0")))
        return Said(int(line.split()[1]), headers, body.decode())

    def is_closed(self) -> bool:
        """The server has said goodbye, with everything that it had to say read."""
        return self._file.read() == b""

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class UploadServer:
    """Serves from ``with`` on, in a thread. ``outcome``: of its work, when that has ended."""

    def __init__(self, disk: Path, trust: Trust, **variables: str) -> None:
        self.trust = trust
        self._work = Uploading(trust.environment(disk, **variables))
        self._cancel = Cancel()
        self._listens = threading.Event()
        self._thread = threading.Thread(target=self._run, name="server")
        self.outcome: Termination | Fault | None = None
        self.progress = Progress()
        self.port = 0

    def __enter__(self) -> Self:
        self._thread.start()
        self._listens.wait(30)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            self.outcome = self._work.work(self.progress, self._cancel, self._listening)
        except Fault as fault:
            self.outcome = fault
        finally:
            self._listens.set()

    def _listening(self, port: int) -> None:
        self.port = port
        self._listens.set()

    def stop(self) -> None:
        self._cancel.request()
        self.ended()

    def ended(self) -> Termination | Fault | None:
        self._thread.join(30)
        assert not self._thread.is_alive()
        return self.outcome

    def client(self, pair: Pair | None = None, **terms: ssl.TLSVersion) -> Client:
        """``pair``: its certificate, when not the one that may upload. ``terms``: minimum_version, maximum_version."""
        context = self.trust.context(pair or self.trust.client)
        for name, version in terms.items():
            setattr(context, name, version)
        return Client(self.port, context)

    def anonymous(self) -> Client:
        return Client(self.port, self.trust.context(None))

    def post(self, path: str, data: bytes, *headers: str) -> Said:
        with self.client() as client:
            client.send(head_of(path, f"Content-Length: {len(data)}", *headers), data)
            return client.heard()


def head_of(path: str, *headers: str, method: str = "POST") -> bytes:
    return "\r\n".join((f"{method} {path} HTTP/1.1", "Host: localhost", *headers, "", "")).encode()


def chunked(pieces: Iterable[bytes]) -> bytes:
    return b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"


def form_of(data: bytes, boundary: str = "b0undary", field: str = "file", before: bytes = b"") -> bytes:
    """A form with one file. ``before``: other parts."""
    mark = boundary.encode()
    return (
        before
        + b"--" + mark + b"\r\nContent-Disposition: form-data; name=\"" + field.encode() + b'"; filename="a"\r\n'
        + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n--" + mark + b"--\r\n"
    )  # fmt: skip


def in_the_past() -> str:
    return (datetime.datetime.now(datetime.UTC) - datetime.timedelta(hours=1)).isoformat()


def cut(client: Client) -> None:
    """As a network does: the server hears nothing of it but the connection's reset."""
    client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
    client.close()
