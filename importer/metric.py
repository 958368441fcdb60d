"""The contract's progress metric: ``https://POD:8443/metrics``, a fallback for whoever cannot follow the pod's log.

Any path answers; the certificate is a fresh one that nobody is asked to trust (the contract: the scraper verifies
nothing). Key and certificate are made by ``openssl`` when the first scraper comes: a worker must start in 0.1 s, and
one without a cluster around it is never scraped.
"""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import subprocess
import threading
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

from importer.progress import Progress
from importer.worker import CLONE_METRIC, IMPORT_METRIC

if TYPE_CHECKING:
    import ssl

log = logging.getLogger(__name__)

_SUBJECT = "/CN=cloner_target"  # the contract's
_PATIENCE_S = 2.0  # of one scrape, which the contract's scraper gives up after
_REQUEST_LIMIT = 8192
_HELP = {IMPORT_METRIC: "The import progress in percentage", CLONE_METRIC: "The clone progress in percentage"}


def exposition(name: str, owner_uid: str, percent: float) -> str:
    """The text that a scraper gets."""
    label = owner_uid.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
    return f'# HELP {name} {_HELP[name]}\n# TYPE {name} counter\n{name}{{ownerUID="{label}"}} {percent:.2f}\n'


class MetricServer:
    """Serves ``text()`` from ``__enter__`` to ``__exit__``, in threads of its own.

    ``address``: host and port; an empty host is every address of both families. A port that is taken is a warning in
    the log: no import fails for its metric.
    """

    def __init__(self, text: Callable[[], str], address: tuple[str, int]) -> None:
        self._text = text
        self._address = address
        self._listener: socket.socket | None = None
        self._context: ssl.SSLContext | None = None

    def __enter__(self) -> Self:
        try:
            self._listener = _listen(*self._address)
        except OSError as error:
            log.warning("the progress metric is not served on port %d: %s", self._address[1], error)
            return self
        threading.Thread(target=self._serve, args=(self._listener,), name="metric", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._listener is not None:
            with contextlib.suppress(OSError):
                self._listener.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone would not
            self._listener.close()

    def _serve(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return  # closed
            # Its own thread: a client that says nothing must not take the time of one that does.
            threading.Thread(target=self._attend, args=(connection,), name="scrape", daemon=True).start()

    def _attend(self, connection: socket.socket) -> None:
        try:
            with connection:
                self._answer(connection)
        except (OSError, subprocess.SubprocessError) as error:
            log.debug("a scrape of the progress metric failed: %s", error)

    def _answer(self, connection: socket.socket) -> None:
        if self._context is None:
            self._context = _self_signed()
        connection.settimeout(_PATIENCE_S)
        with self._context.wrap_socket(connection, server_side=True) as tls:
            request = b""
            while b"\r\n\r\n" not in request and len(request) < _REQUEST_LIMIT:
                part = tls.recv(_REQUEST_LIMIT)
                if not part:
                    return
                request += part
            body = self._text().encode()
            head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"
            tls.sendall(f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body)


def serve(name: str, progress: Progress, owner_uid: str, address: tuple[str, int]) -> MetricServer:
    return MetricServer(lambda: exposition(name, owner_uid, progress.snapshot().percent or 0.0), address)


def _listen(host: str, port: int) -> socket.socket:
    if host == "" and socket.has_dualstack_ipv6():
        with contextlib.suppress(OSError):  # a kernel with IPv6 and no address of it
            return socket.create_server((host, port), family=socket.AF_INET6, dualstack_ipv6=True)
    return socket.create_server((host, port))


def _self_signed() -> ssl.SSLContext:
    """A server's context with a new key. Raises OSError or SubprocessError."""
    import ssl

    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "30", "-subj", _SUBJECT, "-keyout", "-", "-out", "-"]
    made = subprocess.run(command, check=True, capture_output=True, timeout=30).stdout
    memory = os.memfd_create("certificate")  # load_cert_chain wants a file's name; the key never touches a disk
    try:
        os.write(memory, made)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
        return context
    finally:
        os.close(memory)
