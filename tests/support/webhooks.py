"""cdi-apiserver beside a real API server that asks it.

Everything is installed as ``deploy/cdi.yaml`` has it, but for addresses: nothing routes to services here.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from support.apiserver import ApiServer, program
from support.ports import free_port
from support.programprocess import ProgramProcess

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


class Process(ProgramProcess):
    """``cdi-apiserver``, with the rights of its own service account and nothing more."""

    def __init__(self, api: ApiServer, kubectl: Kubectl, folder: Path) -> None:
        super().__init__(free_port(), folder / "cdi-apiserver.log")
        self.url = f"https://127.0.0.1:{self.port}"
        self._api, self._kubectl = api, kubectl

    def __enter__(self) -> Self:
        token = self._kubectl.done("create", "token", "cdi-apiserver", "-n", NAMESPACE).strip()
        where = ["--address=127.0.0.1", f"--port={self.port}", "--name=127.0.0.1"]
        command = [sys.executable, "-m", "cdi.apiserver.process", f"--kubeconfig={self._api.kubeconfig(token)}", *where]
        self.start(command, {**os.environ, "POD_NAMESPACE": NAMESPACE})
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def soon(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + SOON_S
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)  # another program's reaction has no event to wait for
    return True
