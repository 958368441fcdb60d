"""What an upload asks a cluster: for a token, for the server's place, for the proxy's URL."""

from __future__ import annotations

import re
import shlex
import ssl
import time
from dataclasses import dataclass

from cdi.api import cdiconfig, uploadtoken
from cdi.api.uploadtoken import UploadTokenRequestStatus
from cdi.base.faults import Fault
from cdi.base.wire.upload import PORT
from cdi.cli.cluster_place import ClusterPlace
from cdi.cli.names import Name
from cdi.cli.sending.peer import Address, Peer
from cdi.cli.sending.tunnel import Tunnel
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.kube.cdi_resources import CDI_CONFIGS, UPLOAD_TOKEN_REQUESTS
from cdi.kube.client import Client
from cdi.kube.errors import ApiError, Forbidden
from cdi.kube.resources import CLAIMS

_FRESH_S = 240.0  # of the 300 that a token is good for
_USER = re.compile(r'User "([^"]{1,253})"')
_ACCOUNT = re.compile(r"system:serviceaccount:([a-z0-9.-]+):([a-z0-9.-]+)")


@dataclass(frozen=True, slots=True)
class Server:
    """An upload server. ``uid``: of the claim that it fills, or for which that one is PVC'."""

    uid: str
    namespace: str
    pod: str
    service: str

    @property
    def host(self) -> str:
        """In its certificate."""
        return f"{self.service}.{self.namespace}.svc"


class Grants:
    """Tokens for one claim, asked for when the last one is too old. Raises Fault UploadRightMissing among others."""

    def __init__(self, here: ClusterPlace, name: Name) -> None:
        self._here = here
        self._name = name
        self._last: UploadTokenRequestStatus | None = None
        self._asked_at = 0.0

    def token(self) -> str:
        return self._current().token

    def refused(self) -> None:
        """The last one was: this machine may have slept."""
        self._last = None

    def authorities(self) -> str:
        """PEM: by whom the server is known; empty where the cluster does not say it."""
        return self._current().server_authorities

    def _current(self) -> UploadTokenRequestStatus:
        if self._last is None or time.monotonic() - self._asked_at > _FRESH_S:
            self._asked_at = time.monotonic()
            self._last = self._here.asked(self._ask, str(self._name))
        return self._last

    async def _ask(self, client: Client) -> UploadTokenRequestStatus:
        name = self._name
        body = {"metadata": {"generateName": "cdi-upload-"}, "spec": {"pvcName": name.name}}
        try:
            made = await client.create(UPLOAD_TOKEN_REQUESTS, body, name.namespace)
        except Forbidden as error:
            right = f"create {uploadtoken.PLURAL}.{uploadtoken.GROUP}"
            raise right_missing(error, right, name.namespace, "cdi.kubevirt.io:edit") from error
        return made.status


def server_of(here: ClusterPlace, name: Name) -> Server:
    """Of a DataVolume whose upload server is ready. Raises Fault."""

    async def look(client: Client) -> Server:
        claim = await client.get(CLAIMS, name.name, name.namespace)
        filled = claim.metadata.annotations.get(a.PRIME, "") or name.name
        return Server(claim.metadata.uid, name.namespace, names.upload(filled), names.upload_service(filled))

    return here.asked(look, str(name))


def proxy_url(here: ClusterPlace) -> str:
    """As the cluster says it; empty where it says none."""

    async def look(client: Client) -> str:
        config = await client.find(CDI_CONFIGS, cdiconfig.NAME)
        return (config.status.upload_proxy_url if config is not None else "") or ""

    return here.asked(look, "CDIConfig")


def tunnel_to(here: ClusterPlace, server: Server) -> Tunnel:
    return Tunnel(here.access, server.namespace, server.pod, PORT)


def tunnelled(tunnel: Tunnel, server: Server, authorities: str) -> Peer:
    """Raises ssl.SSLError for what are no authorities."""
    context = ssl.create_default_context(cadata=authorities)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return Peer(Address(tunnel.dial, server.host, server.host, interrupt=tunnel.interrupt), context)


def right_missing(error: ApiError, right: str, namespace: str, role: str) -> Fault:
    """``role``: a ClusterRole that has the right."""
    found = _USER.search(error.message)
    user = found[1] if found else "USER"
    account = _ACCOUNT.fullmatch(user)
    whom = f"--serviceaccount={account[1]}:{account[2]}" if account else f"--user={shlex.quote(user)}"
    grant = f"kubectl create rolebinding cdi-upload -n {namespace} --clusterrole={role} {whom}"
    return Fault("UploadRightMissing", right=right, namespace=namespace, cause=error, grant=grant)
