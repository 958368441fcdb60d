"""The upload server at the other end, over mutual TLS: see ``cdi.base.wire.cloning``."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import ssl
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from cdi.base.faults import Fault
from cdi.base.printable import one_line
from cdi.base.wire.clone import CloneEnvironment
from cdi.base.wire.cloning import ANSWER_MOST, BEGIN, ENDED, EXTENTS, FINISH, Begin, Begun, decode_begun, path_of
from importer.cancel import Cancel

_CONNECT_S = 10.0
_ANSWER_S = 900.0  # a target that is made ready, or flushed, takes as long as its storage
_TEXT = 2000  # characters of a refusal
_AGAIN = (ENDED, 503)


class Away(Exception):
    """It cannot be reached, went away, or asks for another attempt: worth one."""


class Finished(Exception):
    """The disk is there: an earlier attempt ended well, and nobody heard."""


@dataclass(frozen=True, slots=True)
class Server:
    """``context``: shows our certificate, and believes no server but the target's."""

    host: str
    port: int
    context: ssl.SSLContext

    @staticmethod
    def of(told: CloneEnvironment) -> Server:
        """Raises Fault ManifestInvalid."""
        try:
            parts = urlsplit(told.upload_url)
            host, port = parts.hostname, parts.port or 443
        except ValueError as error:
            raise Fault("ManifestInvalid", where="UPLOAD_URL", detail=str(error)) from error
        if parts.scheme != "https" or not host:
            raise Fault("ManifestInvalid", where="UPLOAD_URL", detail="it is no https:// URL with a host")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        try:
            context.load_verify_locations(cadata=told.server_ca)
            with _in_memory(told.client_certificate, told.client_key) as path:
                context.load_cert_chain(path)
        except (OSError, ValueError) as error:  # which TLS's errors are
            where = "SERVER_CA_CERT, CLIENT_CERT, CLIENT_KEY"
            raise Fault("ManifestInvalid", where=where, detail=f"they cannot be used: {error}") from error
        return Server(host, port, context)

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


@contextlib.contextmanager
def _in_memory(certificate: str, key: str) -> Iterator[str]:
    """The path of a file with both that no disk has: OpenSSL reads them from nowhere else."""
    fd = os.memfd_create("client", os.MFD_CLOEXEC)
    try:
        os.write(fd, f"{certificate}\n{key}\n".encode())
        yield f"/proc/self/fd/{fd}"
    finally:
        os.close(fd)


class Connection:
    """One thread asks; ``cancel`` cuts it. Raises Away for everything that another attempt may mend, Finished, and
    Fault CloneRefused, CloneTargetUntrusted. ``sent``: bytes of bodies."""

    def __init__(self, server: Server, cancel: Cancel) -> None:
        self._server, self._cancel = server, cancel
        self._http = http.client.HTTPSConnection(server.host, server.port, context=server.context, timeout=_CONNECT_S)
        self.sent = 0

    def connect(self) -> None:
        with self._losses():
            self._http.connect()
            sock: socket.socket = self._http.sock
            sock.settimeout(_ANSWER_S)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 30)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 120_000)

    def begin(self, begin: Begin) -> Begun:
        data = self._asked(BEGIN, begin.encode())
        try:
            return decode_begun(data)
        except ValueError as error:
            raise Fault(
                "CloneRefused", server=self._server.name, status=200, text=f"it is no answer: {error}"
            ) from error

    def finish(self, session: str, count: int) -> None:
        self._asked(path_of(session, FINISH), json.dumps({"count": count}).encode())

    def open_stream(self, session: str) -> None:
        self.open_body(path_of(session, EXTENTS))

    def open_body(self, path: str, **headers: str) -> None:
        """A request whose body follows by ``send`` and ends by ``close_body``."""
        with self._losses():
            self._http.putrequest("POST", path)
            self._http.putheader("Transfer-Encoding", "chunked")
            for name, value in headers.items():
                self._http.putheader(name, value)
            self._http.endheaders()

    def send(self, header: bytes, payload: bytes | memoryview = b"") -> None:
        """One chunk."""
        count = len(header) + len(payload)
        with self._losses(hears=True):
            self._http.send(b"%x\r\n%b" % (count, header))
            if payload:
                self._http.send(payload)
            self._http.send(b"\r\n")
        self.sent += count

    def close_body(self) -> bytes:
        """The answer: when it is there, the server has all."""
        with self._losses(hears=True):
            self._http.send(b"0\r\n\r\n")
        return self._answer()

    def _asked(self, path: str, body: bytes) -> bytes:
        with self._losses():
            self._http.request("POST", path, body, {"Content-Type": "application/json"})
        return self._answer()

    def _answer(self) -> bytes:
        with self._losses():
            response = self._http.getresponse()
            data = response.read(ANSWER_MOST + 1)
        if response.status == 200:
            return data
        text = one_line(data.decode(errors="replace"))[:_TEXT]
        if response.status == 409:
            raise Finished(text)
        if response.status in _AGAIN:
            raise Away(f"it answered {response.status}: {text}")
        raise Fault("CloneRefused", server=self._server.name, status=response.status, text=text)

    @contextlib.contextmanager
    def _losses(self, *, hears: bool = False) -> Iterator[None]:
        """``hears``: a server that takes no more may have said why before it closed."""
        self._cancel.check(self.sent)
        try:
            yield
        except ssl.SSLCertVerificationError as error:
            raise Fault("CloneTargetUntrusted", server=self._server.name, cause=error.verify_message) from error
        except (OSError, http.client.HTTPException) as error:
            self._cancel.check(self.sent)
            if hears:
                with contextlib.suppress(OSError, http.client.HTTPException, Away):
                    self._answer()
            raise Away(str(error) or type(error).__name__) from error

    def interrupt(self) -> None:
        """From another thread: what it waits for breaks off."""
        sock = self._http.sock
        if sock is not None:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def close(self) -> None:
        self._http.close()
