"""The upload proxy, by its URL."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import urlsplit

from cdi.base.faults import Fault
from cdi.cli.sending.peer import Address, Peer

_CONNECT_S = 10.0


def proxy_at(url: str, authorities: Iterable[Path]) -> Peer:
    """``authorities``: files of who is trusted beside this machine's. A URL that
    says no scheme means https, as for virtctl. Raises Fault UploadProxyUnfit."""
    try:
        parts = urlsplit(url if "://" in url else f"https://{url}")
        host, port = parts.hostname or "", parts.port or 443
    except ValueError as error:
        raise Fault("UploadProxyUnfit", url=url, cause="it is no URL") from error
    if parts.scheme != "https" or not host or parts.username or parts.query or parts.fragment:
        raise Fault("UploadProxyUnfit", url=parts.hostname or url, cause="it is not like https://HOST:PORT")
    context = ssl.create_default_context()
    for path in authorities:
        try:
            context.load_verify_locations(path)
        except (OSError, ssl.SSLError) as error:
            raise Fault("FileUnreadable", source=path, cause=error.strerror or error) from error

    def dial() -> socket.socket:
        return socket.create_connection((host, port), _CONNECT_S)

    return Peer(Address(dial, host, parts.netloc, parts.path.rstrip("/")), context)
