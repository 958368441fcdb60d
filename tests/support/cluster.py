"""A real cluster as a test sees it, through the official client and kubectl: nothing of cdi.kube is believed here."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kubernetes import client, config
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.cluster.bed import tools

IMAGE = os.environ.get("CDI_TEST_IMAGE", "localhost/cdi:test")
CORE = "/api/v1"
QEMU = 107  # the user of workers and launchers
Object = dict[str, Any]
_NOT_FOUND = 404


@dataclass(frozen=True)
class Cluster:
    """``address``: where a test's own servers listen, so that pods reach them."""

    kubeconfig: Path
    address: str

    @functools.cached_property
    def client(self) -> client.ApiClient:
        return config.new_client_from_config(str(self.kubeconfig))

    def get(self, path: str) -> Object | None:
        """The object, None when there is none: ``cluster.get("/api/v1/namespaces/a/pods/b")``."""
        return self._answer("GET", path)

    def delete(self, path: str) -> None:
        """Asks for it; does not wait."""
        self._answer("DELETE", path)

    def apply(self, *objects: Object) -> None:
        everything = {"apiVersion": "v1", "kind": "List", "items": list(objects)}
        self.kubectl("apply", "--server-side", "-f", "-", input_text=json.dumps(everything))

    def kubectl(self, *words: str, input_text: str | None = None, timeout_s: float = 120) -> str:
        """What it prints. Fails the test with what it complains of."""
        command = [str(tools.program("kube")), "kubectl", f"--kubeconfig={self.kubeconfig}", *words]
        done = subprocess.run(command, input=input_text, capture_output=True, text=True, timeout=timeout_s)
        assert done.returncode == 0, f"kubectl {' '.join(words)}: {done.stderr}"
        return done.stdout

    def wait(self, path: str, ready: Callable[[Object], bool], timeout_s: float = 60) -> Object:
        """The object when ``ready`` says so, as its watch shows it. Fails with the last state otherwise."""
        last: Object | None = None
        for event in self._events(path, timeout_s):
            last = event["object"]
            if event["type"] != "DELETED" and ready(last):
                return last
        raise AssertionError(f"{path} is not what was waited for after {timeout_s} s: {json.dumps(last, indent=1)}")

    def wait_gone(self, path: str, timeout_s: float = 60) -> None:
        if self.get(path) is None:
            return
        for event in self._events(path, timeout_s):
            if event["type"] == "DELETED":
                return
            if self.get(path) is None:
                return
        assert self.get(path) is None, f"{path} is still there after {timeout_s} s"

    def log(self, namespace: str, pod: str) -> str:
        return self.kubectl("logs", "-n", namespace, pod)

    def restart(self, program: str) -> None:
        """Kills ``apiserver``, ``kubelet``, ... of the bed and starts it again. For the bed only."""
        command = [sys.executable, "-m", "tests.cluster.bed", "restart", program]
        subprocess.run(command, check=True, timeout=120)

    def _events(self, path: str, timeout_s: float) -> Iterator[Object]:
        """Of one object: as it is now, then each change. Goes on after the API server went away."""
        collection, _, name = path.rpartition("/")
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            query = [
                ("fieldSelector", f"metadata.name={name}"),
                ("watch", "true"),
                ("timeoutSeconds", str(int(left) + 1)),
            ]
            try:
                lines = self._request("GET", collection, query, timeout_s=left).response
                for line in _lines(lines):
                    yield json.loads(line)
            except (ApiException, HTTPError):
                time.sleep(0.05)  # nothing tells when a server that is away comes back

    def _answer(self, method: str, path: str) -> Object | None:
        try:
            answer: Object = json.loads(self._request(method, path, [], timeout_s=30).read())
        except ApiException as error:
            if error.status == _NOT_FOUND:
                return None
            raise
        return answer

    def _request(self, method: str, path: str, query: list[tuple[str, str]], timeout_s: float) -> Any:
        words = self.client.param_serialize(method, path, query_params=query, auth_settings=["BearerToken"])
        answer = self.client.call_api(*words, _request_timeout=timeout_s)
        if answer.status >= 300:
            raise ApiException(http_resp=answer)
        return answer


def _lines(response: Any) -> Iterator[bytes]:
    rest = b""
    for chunk in response.stream(amt=None):
        *whole, rest = (rest + chunk).split(b"\n")
        yield from whole


def claim(
    name: str,
    storage_class: str,
    *,
    size: str = "64Mi",
    block: bool = False,
    access: str = "ReadWriteOnce",
    **spec: Any,
) -> Object:
    """A PersistentVolumeClaim; ``spec``: more members of it, such as dataSource."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": [access],
            "resources": {"requests": {"storage": size}},
            "storageClassName": storage_class,
            "volumeMode": "Block" if block else "Filesystem",
            **spec,
        },
    }


def shell_pod(name: str, script: str, claim_name: str = "", *, block: bool = False) -> Object:
    """A pod that runs ``script`` once, as the restricted standard wants it; the claim is /volume, file or device."""
    container: Object = {
        "name": "shell",
        "image": IMAGE,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-euc", script],
        "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
    }
    if block:
        container["volumeDevices"] = [{"name": "volume", "devicePath": "/volume"}]
    elif claim_name:
        container["volumeMounts"] = [{"name": "volume", "mountPath": "/volume"}]
    user = {"runAsUser": QEMU, "runAsGroup": QEMU, "fsGroup": QEMU, "runAsNonRoot": True}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name},
        "spec": {
            "restartPolicy": "Never",
            "terminationGracePeriodSeconds": 0,
            "securityContext": {**user, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [{"name": "volume", "persistentVolumeClaim": {"claimName": claim_name}}] if claim_name else [],
        },
    }


@dataclass(frozen=True)
class Namespace:
    """One namespace of a cluster: what a test makes goes there, and goes with it."""

    cluster: Cluster
    name: str

    def path(self, kind: str, name: str, api: str = CORE) -> str:
        """``namespace.path("pods", "a")``, ``namespace.path("datavolumes", "a", "/apis/cdi.kubevirt.io/v1beta1")``."""
        return f"{api}/namespaces/{self.name}/{kind}/{name}"

    def apply(self, *objects: Object) -> None:
        placed = [{**one, "metadata": {**one["metadata"], "namespace": self.name}} for one in objects]
        self.cluster.apply(*placed)

    def run(self, name: str, script: str, claim_name: str = "", *, block: bool = False) -> str:
        """What a pod with this script prints. Fails with its log when it fails."""
        self.apply(shell_pod(name, script, claim_name, block=block))
        ended = self.cluster.wait(
            self.path("pods", name), lambda pod: pod["status"]["phase"] in {"Succeeded", "Failed"}
        )
        log = self.cluster.log(self.name, name)
        assert ended["status"]["phase"] == "Succeeded", log
        self.cluster.delete(self.path("pods", name))
        return log

    def bound(self, name: str, timeout_s: float = 60) -> Object:
        """The claim once it has its volume."""
        path = self.path("persistentvolumeclaims", name)
        return self.cluster.wait(path, lambda one: one["status"].get("phase") == "Bound", timeout_s)
