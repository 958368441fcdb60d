"""The connection with one client: bytes both ways, and how long we have waited for it."""

from __future__ import annotations

import contextlib
import math
import socket
import ssl
import time
from collections.abc import Iterator
from typing import Any

from cdi.base.faults import Fault
from cdi.base.units import KiB

# Who sends less than this while we wait for so long, does not hold the place of others. What our storage takes is no
# waiting for the client.
LEAST, WITHIN_S = 64 * KiB, 60.0
_HANDSHAKE_S = 10.0
_PATIENCE_S = 0.5  # what has come is handed over after so long, also when there is room for more
_TICK_S = 1.0  # so soon does a receive that waits see an interruption or the end of its time


class Interrupted(ConnectionError):
    """The bytes are not wanted any more."""


class Channel:
    """One thread reads and writes; ``interrupt`` and ``drop`` are for others.

    ``until_s`` (time.monotonic()): receives after it raise TimeoutError. ``can_go``: nothing is lost to anybody when
    the connection is cut now.
    """

    def __init__(self, tls: ssl.SSLSocket) -> None:
        self._tls = tls
        self._came, self._waited_s = 0, 0.0  # since the client was last seen to be fast enough
        self._is_body = self._is_interrupted = False
        self.until_s = math.inf
        self.can_go = True

    def shake_hands(self) -> None:
        """Raises OSError, which TLS's errors are."""
        self._tls.settimeout(_HANDSHAKE_S)
        self._tls.do_handshake()
        self._tls.settimeout(_TICK_S)

    @property
    def client_name(self) -> str:
        """The common name in the client's certificate, which has been verified; empty when it showed none."""
        subject = self._shown().get("subject", ())
        names = [value for part in subject for key, value in part if key == "commonName"]
        return names[0] if len(names) == 1 else ""

    @property
    def client_uris(self) -> tuple[str, ...]:
        """Its other names in there, those that are URIs."""
        return tuple(value for key, value in self._shown().get("subjectAltName", ()) if key == "URI")

    def _shown(self) -> dict[str, Any]:  # whose names are nested tuples of text
        return self._tls.getpeercert() or {}

    def recv_into(self, buffer: memoryview | bytearray, nbytes: int = 0, flags: int = 0) -> int:
        """What has come, blocking until there is something; 0 when the client has closed. Raises Fault UploadStalled,
        Interrupted, TimeoutError, OSError."""
        return self._received(memoryview(buffer), 0.0)

    def fill(self, buffer: memoryview) -> int:
        """The same, but until ``buffer`` is full, or for half a second: TLS gives 16 KiB at a time."""
        return self._received(buffer, _PATIENCE_S)

    def _received(self, buffer: memoryview, patience_s: float) -> int:
        filled, now_s = 0, time.monotonic()
        until_s = now_s + patience_s
        while not filled or (filled < len(buffer) and now_s < until_s):
            if self._is_interrupted:
                if filled:
                    break
                raise Interrupted("not wanted any more")
            began_s = now_s
            try:
                count = self._tls.recv_into(buffer[filled:], len(buffer) - filled)
            except TimeoutError:
                count = -1
            except OSError:
                if filled:
                    break  # it counts; the next receive raises the same
                raise
            now_s = time.monotonic()
            self._watch(max(count, 0), now_s - began_s)
            if count == 0:
                break
            filled += max(count, 0)
            if count < 0 and now_s >= self.until_s:
                raise TimeoutError("timed out")
        return filled

    def _watch(self, count: int, waited_s: float) -> None:
        if not self._is_body:
            return
        self._came += count
        self._waited_s += waited_s
        if self._came >= LEAST:
            self._came, self._waited_s = 0, 0.0
        elif self._waited_s >= WITHIN_S:
            came, self._came, self._waited_s = self._came, 0, 0.0
            raise Fault("UploadStalled", got=f"{came:,}", seconds=f"{WITHIN_S:.0f}", least=f"{LEAST:,}")

    def send(self, data: bytes) -> None:
        """A short text: it fits into the socket's buffer also when the client reads nothing. Raises OSError."""
        self._tls.sendall(data)

    @contextlib.contextmanager
    def of_a_body(self) -> Iterator[None]:
        """What is received meanwhile has no end of time, but must not come too slowly."""
        self._came, self._waited_s, self.until_s = 0, 0.0, math.inf
        self._is_body, self._is_interrupted = True, False
        try:
            yield
        finally:
            self._is_body = self._is_interrupted = False

    def interrupt(self) -> None:
        """Of a body: a receive that waits ends within a second, and those that begin later at once."""
        self._is_interrupted = True

    def drop(self) -> None:
        """Cut the connection under the thread that reads, which then sees its end."""
        with contextlib.suppress(OSError):
            # SSLSocket.shutdown would make a plain socket of it in the middle of a read.
            socket.socket.shutdown(self._tls, socket.SHUT_RDWR)

    def close(self) -> None:
        """Says goodbye, and waits for no answer to that."""
        with contextlib.suppress(OSError, ValueError):
            self._tls.settimeout(0)
            self._tls.unwrap()
        self._tls.close()
