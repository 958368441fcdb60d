"""The upload server's program, as it runs in a pod: with its volume, and what it leaves there."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from support.importing import ENVIRONMENT, ROOT
from support.podroot import start_in_pod
from support.ports import LOOPBACK, free_port
from support.uploading import Client, Said, Trust, head_of


class Process:
    """A server with its volume and termination message in ``directory``."""

    def __init__(self, trust: Trust, process: subprocess.Popen[str], port: int, message: Path) -> None:
        self.process = process
        self._trust = trust
        self._port = port
        self._message = message

    def client(self) -> Client:
        """As soon as it listens."""
        while True:
            try:
                return Client(self._port, self._trust.context(self._trust.client))
            except ConnectionRefusedError:
                assert self.process.poll() is None, self.process.communicate()
                time.sleep(0.02)  # another program's start has no event to wait for

    def post(self, path: str, data: bytes) -> Said:
        with self.client() as client:
            client.send(head_of(path, f"Content-Length: {len(data)}"), data)
            return client.heard()

    def ended(self) -> tuple[int, str]:
        """Exit code and termination message."""
        self.process.communicate(timeout=60)
        return self.process.returncode, self._message.read_text() if self._message.exists() else ""


@contextmanager
def serving(trust: Trust, directory: Path, **variables: str) -> Iterator[Process]:
    port, message = free_port(), directory / "message"
    told = trust.environment(directory / "disk.img", LISTEN_PORT=str(port), CDI_TERMINATION_LOG=str(message))
    process = subprocess.Popen(
        [sys.executable, "-m", "uploadproxy.server.pod"],
        env={**ENVIRONMENT, **told, **variables},
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Process(trust, process, port, message)
        finally:
            process.kill()


@contextmanager
def in_pod(
    trust: Trust, directory: Path, *, data: Path | None = None, device: Path | None = None, **variables: str
) -> Iterator[Process]:
    """As in its pod: user 107, the contract's own paths. Again with the same ``directory``: the container is started
    anew, and what is in an emptyDir is still there."""
    port, tls = free_port(), directory / "tls"
    tls.mkdir(exist_ok=True)
    tls.chmod(0o755)
    for name, path in {"tls.crt": trust.server.cert, "tls.key": trust.server.key, "ca.crt": trust.clients.cert}.items():
        (tls / name).write_bytes(path.read_bytes())
        (tls / name).chmod(0o644)
    told = trust.environment(directory, LISTEN_PORT=str(port), LISTEN_ADDRESS=LOOPBACK, UPLOAD_IMAGE_SIZE="16Mi")
    told |= {"DESTINATION": "/dev/cdi-block-volume" if device else "", "CDI_TARGET": "", "OWNER_UID": ""}
    told |= {"TLS_CERT_FILE": "/tmp/tls.crt", "TLS_KEY_FILE": "/tmp/tls.key", "CLIENT_CERT_FILE": "/tmp/ca.crt"}
    told |= variables
    place = directory / "pod"
    (place / "pod-tmp").mkdir(parents=True, exist_ok=True)
    for path in tls.iterdir():
        path.rename(place / "pod-tmp" / path.name)
    process = start_in_pod(place, told, data=data, device=device, program="uploadproxy.server.pod")
    with process:
        try:
            yield Process(trust, process, port, place / "termination-log")
        finally:
            process.kill()
