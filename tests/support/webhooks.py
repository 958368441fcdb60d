"""cdi-apiserver beside a real API server that asks it.

Everything is installed as ``deploy/cdi.yaml`` has it, but for addresses: nothing routes to services here.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.apiserver import ApiServer, program
from support.ports import free_port, wait_for_port

from cdi.operator.installation import Installation
from cdi.operator.manifests import manifests
from cdi.operator.webhooks import SERVICE

NAMESPACE = Installation.namespace
_WAIT_S = 60
SOON_S = 10  # the contract's, for a change of CDIConfig


class Kubectl:
    """As the administrator, or ``--as`` somebody else."""

    def __init__(self, api: ApiServer, folder: Path) -> None:
        self._command = [program(), "kubectl", f"--kubeconfig={api.kubeconfig()}", f"--cache-dir={folder / 'cache'}"]

    def run(self, *words: str, objects: Any = None) -> subprocess.CompletedProcess[str]:
        """``objects`` go to standard input."""
        text = None if objects is None else json.dumps(objects)
        return subprocess.run(
            [*self._command, *words], input=text, capture_output=True, text=True, timeout=_WAIT_S, check=False
        )

    def done(self, *words: str, objects: Any = None) -> str:
        """What it prints. Fails the test with what it complains of."""
        done = self.run(*words, objects=objects)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def get(self, *words: str) -> Any:
        return json.loads(self.done("get", *words, "-o", "json"))

    def apply(self, *objects: dict[str, Any], words: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
        return self.run("apply", *words, "-f", "-", objects={"apiVersion": "v1", "kind": "List", "items": objects})


def install(kubectl: Kubectl, url: str) -> None:
    """``url``: where the webhooks and the aggregated API are."""
    found = [_reachable(item, url) for item in manifests(Installation())]
    hooks = [item for item in found if item["kind"].endswith("WebhookConfiguration")]
    others = [item for item in found if item not in hooks]
    for hook in (hook for configuration in hooks for hook in configuration["webhooks"]):
        hook["clientConfig"] = {"url": url + hook["clientConfig"]["service"]["path"]}
    for objects in (others, hooks):
        listed = {"apiVersion": "v1", "kind": "List", "items": objects}
        kubectl.done("apply", "--server-side", "-f", "-", objects=listed)
    kubectl.done("wait", "--for=condition=Established", "crd", "--all", f"--timeout={_WAIT_S}s")


def _reachable(item: dict[str, Any], url: str) -> dict[str, Any]:
    """The API server asks aggregated APIs at what an ExternalName says, and at the port of the APIService."""
    if (item["kind"], item["metadata"]["name"]) == ("Service", SERVICE):
        return {**item, "spec": {"type": "ExternalName", "externalName": "127.0.0.1"}}
    if item["kind"] == "APIService":
        service = {**item["spec"]["service"], "port": int(url.rpartition(":")[2])}
        return {**item, "spec": {**item["spec"], "service": service}}
    return item


class Process:
    """``cdi-apiserver``, with the rights of its own service account and nothing more."""

    def __init__(self, api: ApiServer, kubectl: Kubectl, folder: Path) -> None:
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self._api, self._kubectl, self.log = api, kubectl, folder / "cdi-apiserver.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        token = self._kubectl.done("create", "token", "cdi-apiserver", "-n", NAMESPACE).strip()
        where = ["--address=127.0.0.1", f"--port={self.port}", "--name=127.0.0.1"]
        command = [sys.executable, "-m", "cdi.apiserver.process", f"--kubeconfig={self._api.kubeconfig(token)}", *where]
        with self.log.open("wb") as log:
            environment = {**os.environ, "POD_NAMESPACE": NAMESPACE}
            self._process = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        wait_for_port(self.port, self._process, self.log, timeout_s=_WAIT_S)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def signal(self, number: signal.Signals) -> None:
        assert self._process is not None
        self._process.send_signal(number)

    def ended(self) -> int:
        """Waits for its end; the exit status."""
        assert self._process is not None
        return self._process.wait(timeout=_WAIT_S)

    def stop(self) -> int:
        """At once, as with Ctrl-C: as the kubelet does it, it answers on for a while. Its exit status."""
        self.signal(signal.SIGINT)
        return self.ended()


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # another program's reaction has no event to wait for
    return True
