"""Taking over from another version: what it has finished stays finished, what it has begun stays where it was.

``recorded`` has the objects that it left: a file for each of its runs (``recorded/README.md``).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from kubernetes.config import new_client_from_config
from support.apiserver import ADMIN, ApiServer
from support.controller import Controller, storage_class, wait_until
from support.kinds import Cluster
from support.webhooks import Kubectl

Document = dict[str, Any]

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
DRIVER = "hostpath.csi.k8s.io"


@pytest.fixture(scope="module", autouse=True)
def classes(kubectl: Kubectl) -> None:
    """As they were when the objects were recorded."""
    late = storage_class("hostpath-wffc", DRIVER) | {"volumeBindingMode": "WaitForFirstConsumer"}
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}}
    for item in (storage_class("hostpath", DRIVER), late, driver | {"spec": {"attachRequired": False}}):
        kubectl.done("apply", "-f", "-", objects=item)


def administrator(api: ApiServer) -> Cluster:
    client = new_client_from_config(str(api.kubeconfig()))
    client.set_default_header("Authorization", f"Bearer {ADMIN}")
    return Cluster(client)


class Run:
    """The objects of one run, made again in a namespace of their own; their uids are new, and so are names of them."""

    def __init__(self, cluster: Cluster, path: Path) -> None:
        self.namespace = path.stem
        self._cluster = cluster
        cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": self.namespace}})
        states, objects = list[Document](), json.loads(path.read_text())
        while objects:
            given = objects.pop(0)
            old, status = given["metadata"].pop("uid"), given.pop("status", None)
            given["metadata"]["namespace"] = self.namespace
            made = cluster.create(given)
            new = made["metadata"]["uid"]
            notes = json.dumps(given["metadata"].get("annotations", {}))
            if old in notes:  # in a name that the object itself tells
                patch = {"metadata": {"annotations": json.loads(notes.replace(old, new))}}
                cluster.patch(given["kind"], given["metadata"]["name"], patch, self.namespace)
            states.append({"kind": given["kind"], "name": made["metadata"]["name"], "status": status})
            states, objects = json.loads(json.dumps([states, objects]).replace(old, new))
        for state in states:
            if state["status"]:
                self._say(state["kind"], state["name"], state["status"])

    def _say(self, kind: str, name: str, status: Document) -> None:
        subresource = "" if kind == "DataSource" else "status"
        self._cluster.patch(kind, name, {"status": status}, self.namespace, subresource)

    def name_golden_images(self) -> None:
        """A DataSource for each DataVolume, ready where that has Succeeded."""
        for volume in self._of("DataVolume"):
            place = {"name": volume["metadata"]["name"], "namespace": self.namespace}
            source = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataSource", "metadata": place}
            self._cluster.create(source | {"spec": {"source": {"pvc": place}}})
            if volume["status"]["phase"] == "Succeeded":
                ready = {"type": "Ready", "status": "True", "reason": "Ready"}
                text = {"message": "DataSource is ready to be consumed"}
                self._say("DataSource", place["name"], {"conditions": [ready | text], "source": {"pvc": place}})

    def _of(self, kind: str) -> list[Document]:
        return self._cluster.list(kind, self.namespace)

    def volumes(self) -> dict[str, Any]:
        """What programs see of each."""
        return {item["metadata"]["name"]: _shown(item["status"]) for item in self._of("DataVolume")}

    def messages(self) -> list[str]:
        """What people see."""
        found = [item["status"]["conditions"] for item in self._of("DataVolume")]
        return [item.get("message", "") for conditions in found for item in conditions]

    def sources(self) -> dict[str, list[tuple[str, str]]]:
        """Whether the DataSources are ready, and why not."""
        return {
            item["metadata"]["name"]: [
                (entry["status"], entry["reason"]) for entry in item.get("status", {}).get("conditions", [])
            ]
            for item in self._of("DataSource")
        }

    def targets(self) -> dict[str, Document]:
        """Claims that users see, by name: what identifies them, and what says how far they are."""
        found = self._of("PersistentVolumeClaim")
        return {item["metadata"]["name"]: _claim(item) for item in found if not _belongs_to_another(item)}

    def uids(self, kind: str) -> set[str]:
        return {item["metadata"]["uid"] for item in self._of(kind)}


def _shown(status: Document) -> Document:
    keys = ("type", "status", "reason")
    conditions = [{key: item.get(key, "") for key in keys} for item in status["conditions"]]
    return {key: status.get(key) for key in ("phase", "progress", "claimName", "restartCount")} | {
        "conditions": conditions
    }


def _claim(found: Document) -> Document:
    metadata, says = found["metadata"], ("pod.phase", "condition.running", "clonePhase", "condition.bound.message")
    kept = {key: value for key, value in metadata.get("annotations", {}).items() if key.endswith(says)}
    return {"uid": metadata["uid"], "goes": metadata.get("deletionTimestamp"), "says": kept}


def _belongs_to_another(claim: Document) -> bool:
    return any(owner["kind"] != "DataVolume" for owner in claim["metadata"].get("ownerReferences", []))


def wait_until_all_are_looked_at(cluster: Cluster) -> None:
    """Queues are served in order of arrival: what a volume that is made now gets, all before it had the chance to get.
    The second one leaves time to what was begun when the first one's turn came."""
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "later"}})
    for name in ("first", "second"):
        storage = {"accessModes": ["ReadWriteOnce"], "storageClassName": "hostpath"}
        storage |= {"resources": {"requests": {"storage": "1Gi"}}}
        spec = {"source": {"http": {"url": "http://192.0.2.1/disk.img"}}, "pvc": storage}
        kind = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume"}
        cluster.create(kind | {"metadata": {"name": name, "namespace": "later"}, "spec": spec})
        claim = cluster.wait("PersistentVolumeClaim", name, lambda _: True, "later")
        cluster.wait("PersistentVolumeClaim", f"prime-{claim['metadata']['uid']}", lambda _: True, "later")


@pytest.mark.slow
def test_nothing_changes_its_phase_and_nothing_is_done_again(api: ApiServer, access: Path, tmp_path: Path) -> None:
    cluster = administrator(api)
    runs = [Run(cluster, path) for path in RECORDED]
    assert len(runs) > 20
    for run in runs:
        run.name_golden_images()
    before = [(run.volumes(), run.targets(), run.uids("Pod"), run.uids("PersistentVolumeClaim")) for run in runs]
    told = [(run.messages(), run.sources()) for run in runs]
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        wait_until_all_are_looked_at(cluster)
        assert "a bug" not in controller.log
        for run, (volumes, targets, pods, claims), (messages, sources) in zip(runs, before, told, strict=True):
            assert run.volumes() == volumes, run.namespace
            assert run.targets() == targets, run.namespace
            assert run.uids("Pod") == pods, run.namespace
            assert run.uids("PersistentVolumeClaim") <= claims, run.namespace
            # The contract's text comes first; ours may say more.
            assert [now[: len(was)] for now, was in zip(run.messages(), messages, strict=True)] == messages
            for name, conditions in sources.items():
                wanted = conditions or [("False", volumes[name]["phase"])]
                assert run.sources()[name] == wanted, run.namespace


FOREIGN = "example.com/kept"
HELD = {
    "DataVolume": "cdi.kubevirt.io/dataVolumeFinalizer",
    "PersistentVolumeClaim": "cdi.kubevirt.io/clonePopulator",
    "ObjectTransfer": "cdi.kubevirt.io/objectTransfer",
    "CDI": "operator.cdi.kubevirt.io",
}


def held(kind: str, name: str, *finalizers: str) -> Document:
    """An object of a namespace, or of none, that another version holds."""
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
    place = {"namespace": "going"} if kind in ("DataVolume", "PersistentVolumeClaim") else {}
    specs: Document = {
        "DataVolume": {"source": {"pvc": {"namespace": "going", "name": "golden"}}, "pvc": claim},
        "PersistentVolumeClaim": claim,
        "ObjectTransfer": {
            "source": {"kind": "DataVolume", "namespace": "going", "name": "a"},
            "target": {"name": "b"},
        },
        "CDI": {},
    }
    version = "v1" if kind == "PersistentVolumeClaim" else "cdi.kubevirt.io/v1beta1"
    metadata = {"name": name, "finalizers": list(finalizers), **place}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": specs[kind]}


@pytest.mark.slow
def test_nothing_in_deletion_is_held_by_a_version_that_is_gone(api: ApiServer, access: Path, tmp_path: Path) -> None:
    cluster = administrator(api)
    cluster.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "going"}})
    for kind, finalizer in HELD.items():
        for name, more in (("alone", ()), ("shared", (FOREIGN,))):
            cluster.create(held(kind, name, finalizer, *more))
            cluster.delete(kind, name, "going")
    # One that is not in deletion keeps what it has: another version may still be at work.
    cluster.create(held("PersistentVolumeClaim", "alive", HELD["PersistentVolumeClaim"]))
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        for kind, finalizer in HELD.items():
            wait_until(lambda kind=kind: is_released(cluster, kind, "alone"), f"{kind} is released")
            wait_until(lambda kind=kind: is_released(cluster, kind, "shared"), f"{kind} is released")
            kept = cluster.get(kind, "shared", "going")["metadata"]["finalizers"]
            assert (FOREIGN in kept, finalizer in kept) == (True, False)
            cluster.patch(kind, "shared", {"metadata": {"finalizers": None}}, "going")
        alive = cluster.get("PersistentVolumeClaim", "alive", "going")
        assert HELD["PersistentVolumeClaim"] in alive["metadata"]["finalizers"]


def is_released(cluster: Cluster, kind: str, name: str) -> bool:
    """A claim keeps Kubernetes' own finalizer, which another controller takes off."""
    found = cluster.find(kind, name, "going")
    return found is None or HELD[kind] not in found["metadata"].get("finalizers", [])
