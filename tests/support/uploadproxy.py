"""cdi-uploadproxy beside a real API server, with the rights of its own service account, and clients of it.

Its upload servers are on loopback (``localproxy``).
"""

from __future__ import annotations

import datetime
import http.client
import os
import socket
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support import uploading
from support.apiserver import ApiServer
from support.certificates import Authority
from support.ports import free_port
from support.programprocess import ProgramProcess
from support.webhooks import NAMESPACE, Kubectl

from cdi.base.upload_permits import UploadPermit
from cdi.contract import annotations as a
from cdi.trust.signatures import private_key
from cdi.trust.tokens import KeyPair, key_pair
from cdi.trust.upload_tokens import upload_token

_WAIT_S = 60
BUNDLE = "cdi-uploadserver-signer-bundle"
CLIENT_NAME = "client.upload-server.cdi.kubevirt.io"
READY = {a.UPLOAD_TARGET: "", a.POD_READY: "true", a.POD_PHASE: "Running"}


class Trust:
    """Authorities and keys of an installation. ``keys``: of tokens."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.servers = Authority(folder / "servers", "cdi-uploadserver-signer")
        self.clients = Authority(folder / "clients", "cdi-uploadserver-client-signer")
        self.proxies = Authority(folder / "proxies", "cdi-uploadproxy-signer")
        self.keys: KeyPair = key_pair()
        self.shown = self.clients.issue(CLIENT_NAME, "")
        self.served = self.proxies.issue("cdi-uploadproxy", "IP:127.0.0.1,DNS:cdi-uploadproxy")

    def token(
        self, namespace: str, name: str, uid: str = "", *, keys: KeyPair | None = None, age_s: float = 0.0
    ) -> str:
        made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
        return upload_token(UploadPermit(namespace, name, uid), private_key((keys or self.keys).private), made)

    def publish(self, kubectl: Kubectl, bundle: Path | None = None) -> None:
        """Into the ConfigMap from which the proxy knows upload servers."""
        data = {"ca-bundle.crt": (bundle or self.servers.cert).read_text()}
        metadata = {"name": BUNDLE, "namespace": NAMESPACE}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        kubectl.done("apply", "-f", "-", objects=document)

    def client_context(self) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(self.proxies.cert))


class Installed(uploading.Trust):
    """What an upload pod is given by the controller of the same installation as the proxy's."""

    def __init__(self, trust: Trust) -> None:
        self.servers, self.clients = trust.servers, trust.clients
        self.server = trust.servers.issue("cdi-upload", "DNS:*.uploads.svc")
        self.client = trust.shown


class ProxyProcess(ProgramProcess):
    """Runs from ``with`` on."""

    def __init__(self, api: ApiServer, kubectl: Kubectl, trust: Trust, server_port: int) -> None:
        port = free_port()
        super().__init__(port, trust.folder / f"cdi-uploadproxy-{port}.log")
        self.trust = trust
        self._api, self._kubectl, self._server_port = api, kubectl, server_port

    def __enter__(self) -> Self:
        token = self._kubectl.done("create", "token", "cdi-uploadproxy", "-n", NAMESPACE).strip()
        options = ["--address=127.0.0.1", f"--port={self.port}"]
        command = [sys.executable, "-m", "support.localproxy", str(self._api.kubeconfig(token)), str(self._server_port)]
        environment = {
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parents[1]),
            "POD_NAMESPACE": NAMESPACE,
            "APISERVER_PUBLIC_KEY": self.trust.keys.public.decode(),
            "SERVER_CERT_FILE": str(self.trust.served.cert),
            "SERVER_KEY_FILE": str(self.trust.served.key),
            "UPLOAD_CLIENT_CERT_FILE": str(self.trust.shown.cert),
            "UPLOAD_CLIENT_KEY_FILE": str(self.trust.shown.key),
        }
        self.start([*command, *options], environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def peak(self) -> int:
        """Resident bytes."""
        lines = Path(f"/proc/{self.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmHWM"))

    def forget_peak(self) -> None:
        Path(f"/proc/{self.pid}/clear_refs").write_text("5")

    def connected(self) -> ssl.SSLSocket:
        raw = socket.create_connection(("127.0.0.1", self.port), timeout=_WAIT_S)
        return self.trust.client_context().wrap_socket(raw, server_hostname="127.0.0.1")

    def asked(
        self, method: str, path: str, token: str = "", body: bytes | None = None, **headers: str
    ) -> tuple[int, str, http.client.HTTPMessage]:
        """Status, text and headers. ``headers``: with _ for -."""
        context = self.trust.client_context()
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=_WAIT_S, context=context)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if token:
            sent["Authorization"] = f"Bearer {token}"
        try:
            connection.request(method, path, body, sent)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()


def virtctl_head(port: int, token: str) -> bytes:
    """What virtctl 1.x sends first, byte for byte but for the token."""
    lines = ["HEAD /v1beta1/upload-async HTTP/1.1", f"Host: 127.0.0.1:{port}", "User-Agent: Go-http-client/1.1"]
    return "\r\n".join([*lines, f"Authorization: Bearer {token}", "", ""]).encode()


def virtctl_post(port: int, token: str, length: int, path: str = "/v1beta1/upload-async") -> bytes:
    """The head of what it sends then; the body follows at once."""
    lines = [f"POST {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", "User-Agent: Go-http-client/1.1"]
    lines += [f"Content-Length: {length}", f"Authorization: Bearer {token}"]
    lines += ["Content-Type: application/octet-stream", "Accept-Encoding: gzip"]
    return "\r\n".join([*lines, "", ""]).encode()


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    text: str


def answer_on(connection: ssl.SSLSocket, method: str = "POST") -> Answer:
    """Reads one."""
    parsed = http.client.HTTPResponse(connection, method=method)
    parsed.begin()
    return Answer(parsed.status, dict(parsed.headers.items()), parsed.read().decode())


class Claims:
    """Makes claims in a namespace, as the controllers would have them."""

    def __init__(self, kubectl: Kubectl, namespace: str) -> None:
        self._kubectl, self.namespace = kubectl, namespace

    def make(self, name: str, annotations: Mapping[str, str] = READY, *, owner: str = "", source: str = "") -> str:
        """Its uid. ``owner``: uid of the claim for which it is PVC'. ``source``: name of its VolumeUploadSource."""
        metadata: dict[str, Any] = {"name": name, "namespace": self.namespace, "annotations": dict(annotations)}
        if owner:
            reference = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "name": "target", "uid": owner}
            metadata["ownerReferences"] = [{**reference, "controller": True, "blockOwnerDeletion": True}]
        spec: dict[str, Any] = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
        if source:
            spec["dataSourceRef"] = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": source}
        document = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}
        self._kubectl.done("create", "-f", "-", objects=document)
        uid: str = self._kubectl.get("pvc", name, "-n", self.namespace)["metadata"]["uid"]
        return uid

    def annotate(self, name: str, **pairs: str) -> None:
        words = [f"{key}={value}" for key, value in pairs.items()]
        self._kubectl.done("annotate", "pvc", name, "-n", self.namespace, "--overwrite", *words)


def sent(connection: ssl.SSLSocket, length: int, piece: bytes, stop: Callable[[], bool] = lambda: False) -> int:
    """Sends ``length`` bytes; how many it did before ``stop``."""
    done = 0
    while done < length and not stop():
        connection.sendall(piece[: length - done])
        done += len(piece[: length - done])
    return done
