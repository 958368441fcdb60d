"""Objects of a cluster by kind and name, through the official client: independent of ``cdi.kube``.

Objects are plain JSON dictionaries. Waiting is by watch: a test goes on in the moment what it waits for is there.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes.client import ApiClient
from urllib3.exceptions import MaxRetryError, ProtocolError

Object = dict[str, Any]

_DOWN_S = 20.0  # as long as an API server may take to start again

# kind -> (group/version, plural, namespaced)
_CDI = "cdi.kubevirt.io/v1beta1"
_KINDS: dict[str, tuple[str, str, bool]] = {
    "Namespace": ("v1", "namespaces", False),
    "Node": ("v1", "nodes", False),
    "Pod": ("v1", "pods", True),
    "PersistentVolumeClaim": ("v1", "persistentvolumeclaims", True),
    "PersistentVolume": ("v1", "persistentvolumes", False),
    "ConfigMap": ("v1", "configmaps", True),
    "Secret": ("v1", "secrets", True),
    "Service": ("v1", "services", True),
    "ServiceAccount": ("v1", "serviceaccounts", True),
    "ResourceQuota": ("v1", "resourcequotas", True),
    "Event": ("v1", "events", True),
    "Lease": ("coordination.k8s.io/v1", "leases", True),
    "Ingress": ("networking.k8s.io/v1", "ingresses", True),
    "Deployment": ("apps/v1", "deployments", True),
    "StorageClass": ("storage.k8s.io/v1", "storageclasses", False),
    "PriorityClass": ("scheduling.k8s.io/v1", "priorityclasses", False),
    "VolumeSnapshot": ("snapshot.storage.k8s.io/v1", "volumesnapshots", True),
    "VolumeSnapshotClass": ("snapshot.storage.k8s.io/v1", "volumesnapshotclasses", False),
    "ValidatingWebhookConfiguration": (
        "admissionregistration.k8s.io/v1",
        "validatingwebhookconfigurations",
        False,
    ),
    "CustomResourceDefinition": ("apiextensions.k8s.io/v1", "customresourcedefinitions", False),
    "DataVolume": (_CDI, "datavolumes", True),
    "DataSource": (_CDI, "datasources", True),
    "DataImportCron": (_CDI, "dataimportcrons", True),
    "VolumeImportSource": (_CDI, "volumeimportsources", True),
    "VolumeUploadSource": (_CDI, "volumeuploadsources", True),
    "VolumeCloneSource": (_CDI, "volumeclonesources", True),
    "ObjectTransfer": (_CDI, "objecttransfers", False),
    "UploadTokenRequest": ("upload.cdi.kubevirt.io/v1beta1", "uploadtokenrequests", True),
    "StorageProfile": (_CDI, "storageprofiles", False),
    "CDIConfig": (_CDI, "cdiconfigs", False),
    "CDI": (_CDI, "cdis", False),
}


class Refused(Exception):
    """The API server's answer, as ``kubectl`` prints it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(f"{status} {reason}: {message}")
        self.status, self.reason, self.message = status, reason, message


class Cluster:
    """Blocking; raises ``Refused`` for every answer that is no success."""

    def __init__(self, client: ApiClient) -> None:
        self._client = client

    def create(self, manifest: Mapping[str, Any], *, dry_run: bool = False) -> Object:
        metadata = manifest.get("metadata", {})
        path = self._path(manifest["kind"], "", metadata.get("namespace", ""), manifest.get("apiVersion"))
        return self._call("POST", path + ("?dryRun=All" if dry_run else ""), manifest)

    def get(self, kind: str, name: str, namespace: str = "") -> Object:
        return self._call("GET", self._path(kind, name, namespace))

    def find(self, kind: str, name: str, namespace: str = "") -> Object | None:
        try:
            return self.get(kind, name, namespace)
        except Refused as refused:
            if refused.status != 404:
                raise
            return None

    def list(self, kind: str, namespace: str = "", labels: str = "") -> list[Object]:
        path = self._path(kind, "", namespace)
        return list(self._call("GET", path + (f"?labelSelector={labels}" if labels else ""))["items"])

    def patch(
        self, kind: str, name: str, patch: Mapping[str, Any], namespace: str = "", subresource: str = ""
    ) -> Object:
        """A merge patch."""
        path = self._path(kind, name, namespace) + (f"/{subresource}" if subresource else "")
        return self._call("PATCH", path, patch)

    def delete(self, kind: str, name: str, namespace: str = "", *, force: bool = False) -> None:
        """What is not there is deleted."""
        try:
            self._call("DELETE", self._path(kind, name, namespace), {"gracePeriodSeconds": 0} if force else {})
        except Refused as refused:
            if refused.status != 404:
                raise

    def log(self, pod: str, namespace: str, container: str = "") -> str:
        path = self._path("Pod", pod, namespace) + "/log" + (f"?container={container}" if container else "")
        return self._text("GET", path)

    def wait(
        self,
        kind: str,
        name: str,
        until: Callable[[Object], bool],
        namespace: str = "",
        timeout_s: float = 60,
    ) -> Object:
        """The object in the first state that ``until`` accepts; AssertionError with its last state otherwise."""
        last: Object | None = None
        for event in self.watch(kind, namespace, f"metadata.name={name}", timeout_s):
            if event["type"] == "ERROR":
                continue
            last = None if event["type"] == "DELETED" else event["object"]
            if last is not None and until(last):
                return last
        raise AssertionError(f"{kind} {name} never came to it within {timeout_s} s; it is now {_shown(last)}")

    def wait_gone(self, kind: str, name: str, namespace: str = "", timeout_s: float = 60) -> None:
        found = self.find(kind, name, namespace)
        if found is None:
            return
        version = found["metadata"]["resourceVersion"]
        for event in self.watch(kind, namespace, f"metadata.name={name}", timeout_s, version):
            if event["type"] == "DELETED" or self.find(kind, name, namespace) is None:
                return
        raise AssertionError(f"{kind} {name} is still there: {_shown(self.find(kind, name, namespace))}")

    def watch(self, kind: str, namespace: str, fields: str, timeout_s: float, version: str = "") -> Iterator[Object]:
        """Begins with what exists (ADDED), or after ``version``; ends after ``timeout_s``."""
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            path = f"{self._path(kind, '', namespace)}?watch=true&fieldSelector={fields}"
            path += f"&timeoutSeconds={max(1, round(left))}" + (f"&resourceVersion={version}" if version else "")
            # A watch that breaks off begins again: tests beside this one may restart the API server.
            with contextlib.suppress(ProtocolError), self._response("GET", path) as response:
                for line in response:
                    yield json.loads(line)

    def _path(self, kind: str, name: str, namespace: str, api_version: str | None = None) -> str:
        known, plural, namespaced = _KINDS[kind]
        version = api_version or known
        path = ("/apis/" if "/" in version else "/api/") + version
        if namespaced and namespace:
            path += f"/namespaces/{namespace}"
        return f"{path}/{plural}" + (f"/{name}" if name else "")

    def _call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Object:
        return dict(json.loads(self._text(method, path, body)))

    def _text(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> str:
        with self._response(method, path, body) as response:
            return str(response.read().decode())

    def _answer(self, method: str, url: str, headers: dict[str, str], body: Mapping[str, Any] | None) -> Any:
        """Asks until somebody listens: what was refused a connection did not happen."""
        deadline = time.monotonic() + _DOWN_S
        while True:
            try:
                return self._client.call_api(method, url, header_params=dict(headers), body=body).response
            except MaxRetryError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)  # another program's start has no event to wait for

    @contextlib.contextmanager
    def _response(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Iterator[Any]:
        content = "application/merge-patch+json" if method == "PATCH" else "application/json"
        headers = {**self._client.default_headers, "Accept": "application/json", "Content-Type": content}
        url = self._client.configuration.host + path
        response = self._answer(method, url, headers, body)
        try:
            if response.status >= 400:
                raise _refused(response.status, response.read())
            yield response
        finally:
            response.close()


def _refused(status: int, body: bytes) -> Refused:
    try:
        answer = json.loads(body)
    except ValueError:
        return Refused(status, "", body.decode(errors="replace"))
    return Refused(status, answer.get("reason", ""), answer.get("message", ""))


def _shown(last: Object | None) -> str:
    if last is None:
        return "not there"
    return json.dumps({"status": last.get("status"), "annotations": last["metadata"].get("annotations")})


@dataclass(frozen=True)
class Namespace:
    """A namespace of one test: what is made in it goes with it."""

    cluster: Cluster
    name: str

    def create(self, manifest: Mapping[str, Any]) -> Object:
        return self.cluster.create({**manifest, "metadata": {**manifest["metadata"], "namespace": self.name}})

    def get(self, kind: str, name: str) -> Object:
        return self.cluster.get(kind, name, self.name)

    def find(self, kind: str, name: str) -> Object | None:
        return self.cluster.find(kind, name, self.name)

    def list(self, kind: str, labels: str = "") -> list[Object]:
        return self.cluster.list(kind, self.name, labels)

    def patch(self, kind: str, name: str, patch: Mapping[str, Any], subresource: str = "") -> Object:
        return self.cluster.patch(kind, name, patch, self.name, subresource)

    def delete(self, kind: str, name: str, *, force: bool = False) -> None:
        self.cluster.delete(kind, name, self.name, force=force)

    def wait(self, kind: str, name: str, until: Callable[[Object], bool], timeout_s: float = 60) -> Object:
        return self.cluster.wait(kind, name, until, self.name, timeout_s)

    def wait_gone(self, kind: str, name: str, timeout_s: float = 60) -> None:
        self.cluster.wait_gone(kind, name, self.name, timeout_s)

    def wait_phase(self, datavolume: str, phase: str, timeout_s: float = 60) -> Object:
        return self.wait("DataVolume", datavolume, lambda dv: phase_of(dv) == phase, timeout_s)

    def events(self, name: str) -> list[tuple[str, str, str]]:
        """(type, reason, message) of what was said about an object, in order of their first time."""
        found = [event for event in self.list("Event") if event["involvedObject"]["name"] == name]
        found.sort(key=lambda event: event.get("firstTimestamp") or event.get("eventTime") or "")
        return [(event["type"], event["reason"], event["message"]) for event in found]

    def wait_event(self, name: str, reason: str, timeout_s: float = 30) -> str:
        """Its message."""
        for event in self.cluster.watch("Event", self.name, f"involvedObject.name={name}", timeout_s):
            if event["object"].get("reason") == reason:
                return str(event["object"]["message"])
        raise AssertionError(f"no event {reason} about {name}; there are {self.events(name)}")

    def log(self, pod: str, container: str = "") -> str:
        return self.cluster.log(pod, self.name, container)


def phase_of(datavolume: Object) -> str:
    return str(datavolume.get("status", {}).get("phase", ""))


def condition(datavolume: Object, type_: str) -> Object:
    """An empty object when there is none of this type."""
    found = datavolume.get("status", {}).get("conditions", [])
    return next((entry for entry in found if entry["type"] == type_), {})


def annotations(found: Object) -> dict[str, str]:
    return dict(found["metadata"].get("annotations") or {})
