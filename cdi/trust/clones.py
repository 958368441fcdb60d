"""What the source pod of a clone is given to be let in by one upload server, and to know it: made for each pod."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass

from cdi.base.wire.clone import claim_uri, client_name
from cdi.kube.client import Client
from cdi.trust import certificates
from cdi.trust.authorities import read
from cdi.trust.certificates import Pair
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_SERVER
from cdi.trust.lifetimes import Lifetimes


@dataclass(frozen=True, slots=True)
class Authorities:
    """``clients``: what signs for clients of upload servers. ``servers``: who signs for those, PEM, newest first."""

    clients: Pair
    servers: bytes


async def authorities(client: Client, namespace: str) -> Authorities:
    """Raises as ``cdi.trust.authorities`` does."""
    return Authorities(*await read(client, namespace, UPLOAD_CLIENT, UPLOAD_SERVER))


@dataclass(frozen=True, slots=True)
class Copying:
    """``source`` and ``target``: claims, ``namespace/name``; ``uid``: the target's, which makes it this one."""

    source: str
    target: str
    uid: str


def identity(found: Authorities, copying: Copying, lives: Lifetimes, now: datetime.datetime) -> Pair:
    """Of the one client that may write into the claim. Raises ValueError where ``found`` holds no sound authority."""
    name = client_name(copying.source, copying.target)
    return certificates.client(found.clients, name, lives.client.duration, now, claim_uri(copying.uid))


def data_of(pair: Pair) -> dict[str, str]:
    """Of a Secret of type kubernetes.io/tls."""
    return {
        name: base64.b64encode(pem).decode() for name, pem in (("tls.crt", pair.certificate), ("tls.key", pair.key))
    }
