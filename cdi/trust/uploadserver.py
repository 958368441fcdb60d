"""What an upload server is given to be believed, and to know its client: made for each of its pods."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass

from cdi.kube.client import Client
from cdi.trust import certificates
from cdi.trust.authorities import read
from cdi.trust.certificates import Pair
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_SERVER
from cdi.trust.lifetimes import SHARE, Lifetimes


@dataclass(frozen=True, slots=True)
class Authorities:
    """``servers``: what signs for upload servers. ``clients``: who signs for their clients, PEM, the newest first."""

    servers: Pair
    clients: bytes


@dataclass(frozen=True, slots=True)
class Identity:
    """PEM: the certificate and key of one server, and whose clients it lets in. ``deadline``: when another server must
    have taken its place, as what it trusts or shows comes to its end."""

    certificate: bytes
    key: bytes
    clients: bytes
    deadline: datetime.datetime

    @property
    def data(self) -> dict[str, str]:
        """Of a Secret of type kubernetes.io/tls."""
        parts = {"tls.crt": self.certificate, "tls.key": self.key, "ca.crt": self.clients}
        return {name: base64.b64encode(pem).decode() for name, pem in parts.items()}


async def authorities(client: Client, namespace: str) -> Authorities:
    """Raises as ``cdi.trust.authorities`` does."""
    return Authorities(*await read(client, namespace, UPLOAD_SERVER, UPLOAD_CLIENT))


def identity(found: Authorities, service: str, namespace: str, lives: Lifetimes, now: datetime.datetime) -> Identity:
    """``service``: the server's, in ``namespace``. Raises ValueError where ``found`` holds no sound authority."""
    names = [service, f"{service}.{namespace}", f"{service}.{namespace}.svc"]
    made = certificates.server(found.servers, names, lives.server.duration, now)
    newest = next(iter(certificates.split(found.clients)), b"")
    ends = (certificates.span(made.certificate)[1], certificates.span(newest)[1])
    times = (now + lives.server.refresh, now + lives.client.refresh, *(now + (end - now) * SHARE for end in ends))
    return Identity(made.certificate, made.key, found.clients, min(times).replace(microsecond=0))
