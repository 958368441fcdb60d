"""cdi-controller beside a real API server, with the rights of its own service account and nothing more."""

from __future__ import annotations

import os
import signal
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from support.apiserver import ApiServer
from support.ports import free_port
from support.webhooks import NAMESPACE, Kubectl

from cdi.operator.installation import Installation
from cdi.operator.manifests import manifests

_WAIT_S = 60
_ANSWERED = ("WebhookConfiguration", "APIService")


def install(kubectl: Kubectl) -> None:
    """All of ``deploy/cdi.yaml`` but webhooks and the aggregated API: nothing answers them here."""
    found = [item for item in manifests(Installation()) if not item["kind"].endswith(_ANSWERED)]
    kubectl.done("apply", "--server-side", "-f", "-", objects={"apiVersion": "v1", "kind": "List", "items": found})
    kubectl.done("wait", "--for=condition=Established", "crd", "--all", f"--timeout={_WAIT_S}s")


def storage_class(name: str, driver: str = "rook-ceph.rbd.csi.ceph.com") -> dict[str, object]:
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass"}
    return {**kind, "metadata": {"name": name}, "provisioner": driver}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    """For what another program does and nobody announces."""
    deadline = time.monotonic() + _WAIT_S
    while not holds():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.05)


class Controller:
    """Runs from ``with`` on; ``kubeconfig`` is read when it starts."""

    def __init__(self, kubeconfig: Path, folder: Path, name: str = "one") -> None:
        self.name = name
        self._kubeconfig = kubeconfig
        self._log = folder / f"{name}.log"
        self._health, self._metrics = free_port(), free_port()
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        ports = [f"--health-port={self._health}", f"--metrics-port={self._metrics}", "--address=127.0.0.1"]
        command = [sys.executable, "-m", "cdi.controllers.process", f"--kubeconfig={self._kubeconfig}", *ports]
        environment = {**os.environ, "POD_NAMESPACE": NAMESPACE, "POD_NAME": self.name, "IMPORTER_IMAGE": "cdi:test"}
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Asked first: a lease that is not given back would make the next one wait."""
        assert self.process is not None
        self.process.terminate()
        try:
            self.process.wait(_WAIT_S)
        finally:
            self.process.kill()
            self.process.wait()

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def runs(self) -> bool:
        return self.process is not None and self.process.poll() is None

    @property
    def leads(self) -> bool:
        return "successfully acquired lease" in self.log

    def wait_until_ready(self) -> None:
        self._wait(lambda: self.probe("readyz") == 200, "it is ready")

    def wait_until_it_leads(self) -> None:
        self._wait(lambda: self.leads, "it leads")

    def wait_for_log(self, text: str, times: int = 1) -> None:
        self._wait(lambda: self.log.count(text) >= times, f"its log says {text!r} {times} times")

    def ended(self) -> int:
        """Waits for its end; the exit status."""
        assert self.process is not None
        return self.process.wait(_WAIT_S)

    def stop(self) -> int:
        """As the kubelet does; the exit status."""
        assert self.process is not None
        self.process.send_signal(signal.SIGTERM)
        return self.ended()

    def probe(self, path: str) -> int:
        """The status; 0 for no answer."""
        return _get(f"http://127.0.0.1:{self._health}/{path}")[0]

    def metrics(self, token: str = "", newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> tuple[int, str]:
        """Status and body. ``newest``: of TLS, that the scraper can speak."""
        return _get(f"https://127.0.0.1:{self._metrics}/metrics", token, newest)

    def _wait(self, holds: Callable[[], bool], what: str) -> None:
        def held() -> bool:
            assert self.runs, self.log
            return holds()

        wait_until(held, f"{what}: {self.log[-2000:]}")


def _get(url: str, token: str = "", newest: ssl.TLSVersion = ssl.TLSVersion.MAXIMUM_SUPPORTED) -> tuple[int, str]:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.maximum_version = newest
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=10, context=context) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as refused:
        with refused:
            return refused.code, refused.read().decode()
    except OSError:
        return 0, ""


def kubeconfig(api: ApiServer, kubectl: Kubectl) -> Path:
    """Of the controllers' own service account."""
    return api.kubeconfig(kubectl.done("create", "token", "cdi-sa", "-n", NAMESPACE).strip())
