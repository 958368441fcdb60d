"""Accepts connections, each in a thread of its own, and never more than a few."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from cdi.base.faults import Fault
from uploadproxy.server.channel import Channel

log = logging.getLogger("uploadserver")

_MOST = 32
_PAUSE_S = 0.1  # when none can be accepted: no descriptor is left, mostly


class Listener:
    """Listens from ``__enter__`` to ``__exit__``. ``attend`` speaks with one client, in a thread, and may raise OSError
    and Fault. Above 32 connections the oldest of those that only wait for their client makes room for a new one."""

    def __init__(self, address: tuple[str, int], context: ssl.SSLContext, attend: Callable[[Channel], None]) -> None:
        self._listening = _listen(*address)
        self._context = context
        self._attend = attend
        self._lock = threading.Lock()
        self._channels: dict[Channel, None] = {}  # oldest first

    @property
    def port(self) -> int:
        port: int = self._listening.getsockname()[1]
        return port

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, name="accept", daemon=True).start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)  # wakes accept; close alone would not
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                raw, _ = self._listening.accept()
            except OSError as error:
                if error.errno in (errno.EINVAL, errno.EBADF):
                    return  # closed
                log.warning("a connection was not accepted: %s", error)
                self._make_room()
                time.sleep(_PAUSE_S)
                continue
            try:
                channel = Channel(self._context.wrap_socket(raw, server_side=True, do_handshake_on_connect=False))
            except OSError as error:
                log.debug("a client has gone already: %s", error)
                raw.close()
                continue
            self._enter(channel)

    def _enter(self, channel: Channel) -> None:
        with self._lock:
            self._channels[channel] = None
            is_full = len(self._channels) > _MOST
        if is_full:
            self._make_room()
        try:
            threading.Thread(target=self._serve, args=(channel,), name="client", daemon=True).start()
        except RuntimeError as error:  # as many threads as the pod may have
            log.warning("a connection was not served: %s", error)
            self._leave(channel)

    def _make_room(self) -> None:
        with self._lock:
            oldest = next((channel for channel in self._channels if channel.can_go), None)
            if oldest is None:
                return
            del self._channels[oldest]
        oldest.drop()

    def _serve(self, channel: Channel) -> None:
        try:
            self._attend(channel)
        except (OSError, Fault) as error:
            log.debug("a connection ended: %s", error)
        finally:
            self._leave(channel)

    def _leave(self, channel: Channel) -> None:
        with self._lock:
            self._channels.pop(channel, None)
        channel.close()


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)
