"""A client of uploads that asks what ``virtctl image-upload`` asks, as recorded, in its order and with its headers.

Its body follows its head at once, without ``Expect: 100-continue``, and it reads the answer when it has sent all: so it
also learns whether an early refusal reaches such a client.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from support.kinds import Namespace, Object, annotations, phase_of

ATTEMPTS = 5
READY = "cdi.kubevirt.io/storage.pod.ready"
POD_PHASE = "cdi.kubevirt.io/storage.pod.phase"
UPLOAD_TARGET = "cdi.kubevirt.io/storage.upload.target"
CONTENT_TYPE = "cdi.kubevirt.io/storage.contentType"
IMMEDIATE = "cdi.kubevirt.io/storage.bind.immediate.requested"


@dataclass(frozen=True)
class Answer:
    status: int
    body: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Body:
    """``length``: of all ``parts``."""

    parts: Iterable[bytes]
    length: int
    content_type: str = "application/octet-stream"


@dataclass(frozen=True)
class Proxy:
    """``name``: in its certificate, which one of ``authorities`` (PEM) has signed."""

    address: str
    port: int
    name: str
    authorities: str

    def ask(self, method: str, path: str, token: str, body: Body | None = None) -> Answer:
        """One connection for each request. Raises OSError where there is no answer."""
        context = ssl.create_default_context(cadata=self.authorities)
        with (
            socket.create_connection((self.address, self.port), timeout=120) as plain,
            context.wrap_socket(plain, server_hostname=self.name) as channel,
        ):
            connection = http.client.HTTPSConnection(self.address)
            connection.sock = channel
            connection.putrequest(method, path, skip_accept_encoding=True)
            connection.putheader("User-Agent", "Go-http-client/1.1")
            connection.putheader("Authorization", f"Bearer {token}")
            if body is not None:
                connection.putheader("Content-Length", str(body.length))
                connection.putheader("Content-Type", body.content_type)
                connection.putheader("Accept-Encoding", "gzip")
            connection.endheaders()
            for part in body.parts if body is not None else ():
                connection.send(part)
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(errors="replace"), dict(answer.getheaders()))


@dataclass
class Upload:
    """``name``: of the DataVolume or claim. ``kind``: dv or pvc."""

    space: Namespace
    proxy: Proxy
    name: str
    kind: str = "dv"

    def create(self, size: str, storage_class: str, *, archive: bool = False, **more: object) -> None:
        """``more``: volumeMode and the like; ``force_bind``."""
        notes = {IMMEDIATE: ""} if more.pop("force_bind", False) else {}
        content = "archive" if archive else "kubevirt"
        storage = {"resources": {"requests": {"storage": size}}, "storageClassName": storage_class} | more
        if self.kind == "dv":
            spec = {"source": {"upload": {}}, "contentType": content, "storage": storage}
            metadata: Object = {"name": self.name, "annotations": notes}
            self.space.create(
                {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec}
            )
            return
        metadata = {
            "name": self.name,
            "annotations": {UPLOAD_TARGET: "", CONTENT_TYPE: content} | notes,
            "labels": {"cdi.kubevirt.io/applyStorageProfile": "true"},
        }
        spec = {"accessModes": ["ReadWriteOnce"]} | storage
        self.space.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec})

    def wait_ready(self, timeout_s: float = 120) -> None:
        if self.kind == "dv":
            self.space.wait_phase(self.name, "UploadReady", timeout_s)
        else:
            self.space.wait(
                "PersistentVolumeClaim", self.name, lambda claim: annotations(claim).get(READY) == "true", timeout_s
            )

    def token(self) -> str:
        """For the target, never for its PVC'."""
        body = {
            "apiVersion": "upload.cdi.kubevirt.io/v1beta1",
            "kind": "UploadTokenRequest",
            "metadata": {"generateName": "token-for-virtctl-"},
            "spec": {"pvcName": self.name},
        }
        found = self.space.create(body)
        return str(found["status"]["token"])

    def send(self, file: Path, token: str = "") -> Answer:
        """One attempt: HEAD decides the path, then the whole file."""
        token = token or self.token()
        head = self.proxy.ask("HEAD", "/v1beta1/upload-async", token)
        path = "/v1beta1/upload-async" if head.status == http.client.OK else "/v1beta1/upload"
        return self.proxy.ask("POST", path, token, Body(_parts(file), file.stat().st_size))

    def send_patiently(self, file: Path) -> list[Answer]:
        """Until it is taken, 5 times at most. All answers."""
        token, answers = self.token(), list[Answer]()
        for attempt in range(ATTEMPTS):
            answers.append(self.send(file, token))
            if answers[-1].status == http.client.OK:
                break
            time.sleep(attempt * 0.02)
        return answers

    def wait_done(self, timeout_s: float = 60) -> None:
        """virtctl looks at the claim, every 2 s; what it waits for is looked for here at once."""
        self.space.wait(
            "PersistentVolumeClaim",
            self.name,
            lambda claim: annotations(claim).get(POD_PHASE) == "Succeeded",
            timeout_s,
        )

    def phase(self) -> str:
        return phase_of(self.space.get("DataVolume", self.name))


def _parts(file: Path) -> Iterable[bytes]:
    with file.open("rb") as source:
        while part := source.read(1 << 18):
            yield part
