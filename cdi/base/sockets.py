"""Connections that end when the machine at their other end is gone."""

from __future__ import annotations

import socket
from typing import Any

# A node that lost its power sends nothing: without these, whoever waits for it does so until a deadline of its own.
_KEEPALIVE = (
    (socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1),
    (socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, 15),
    (socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, 5),
    (socket.IPPROTO_TCP, socket.TCP_KEEPCNT, 3),
)


def watched_socket(address: tuple[Any, ...], *, untaken_ms: int | None = None) -> socket.socket:
    """A ``socket_factory`` of aiohttp. ``address``: an entry of ``getaddrinfo``. ``untaken_ms``: how long bytes may
    wait until the other end takes them; None: for ever, as where its storage may stand still."""
    family, kind, protocol, _, _ = address
    made = socket.socket(family=family, type=kind, proto=protocol)
    for level, option, value in _KEEPALIVE:
        made.setsockopt(level, option, value)
    if untaken_ms is not None:
        made.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, untaken_ms)
    return made
