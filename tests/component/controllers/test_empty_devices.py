"""Empty block volumes, against a real API server. Nobody provisions and binds here: the test does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.controller import Controller, storage_class, wait_until
from support.webhooks import Kubectl

from storageprofiles.classes import ZEROED

DRIVER = "rook-ceph.rbd.csi.ceph.com"
CLASSES = {
    "ceph": storage_class("ceph", DRIVER),
    # Of a driver that nobody knows: its administrator says so.
    "own": storage_class("own", "csi.example.com") | {"metadata": {"name": "own", "annotations": {ZEROED: "true"}}},
}


def an_empty_device(name: str, class_name: str) -> dict[str, Any]:
    storage = {"storageClassName": class_name, "volumeMode": "Block", "resources": {"requests": {"storage": "1Gi"}}}
    kind = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": name}}
    return kind | {"spec": {"source": {"blank": {}}, "storage": storage}}


def bind(kubectl: Kubectl, claim: dict[str, Any], volume: str) -> None:
    """As a provisioner and the cluster's binder do it."""
    class_name = claim["spec"]["storageClassName"]
    driver = CLASSES[class_name]["provisioner"]
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": claim["spec"]["accessModes"],
        "volumeMode": "Block",
        "storageClassName": class_name,
        "csi": {"driver": driver, "volumeHandle": volume},
        "claimRef": {
            "namespace": "default",
            "name": claim["metadata"]["name"],
            "uid": claim["metadata"]["uid"],
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
        },
    }
    metadata = {"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": driver}}
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
    kubectl.done("create", "-f", "-", objects=made)
    name = claim["metadata"]["name"]
    kubectl.done("patch", "pvc", name, "--type=merge", "-p", json.dumps({"spec": {"volumeName": volume}}))
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": claim["spec"]["accessModes"]}}
    kubectl.done("patch", "pvc", name, "--subresource=status", "--type=merge", "-p", json.dumps(bound))


@pytest.mark.slow
@pytest.mark.parametrize("class_name", CLASSES)
def test_one_claim_and_no_worker_where_new_volumes_are_zeroed(
    class_name: str, kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    found = CLASSES[class_name]
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": found["provisioner"]}}
    for made in (driver | {"spec": {}}, found):
        kubectl.done("apply", "-f", "-", objects=made)
    new_one, old_one = f"{class_name}-new", f"{class_name}-found"

    def names_of(kind: str) -> set[str]:
        return {item["metadata"]["name"] for item in kubectl.get(kind)["items"]}

    before = {kind: names_of(kind) for kind in ("pods", "pvc")}

    def claim_of(name: str) -> dict[str, Any]:
        wait_until(lambda: kubectl.run("get", "pvc", name).returncode == 0, f"the claim {name}")
        found: dict[str, Any] = kubectl.get("pvc", name)
        assert "dataSourceRef" not in found["spec"]
        return found

    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        for name in (new_one, old_one):
            kubectl.done("apply", "-f", "-", objects=an_empty_device(name, class_name))

        new = claim_of(new_one)
        bind(kubectl, new, f"pvc-{new['metadata']['uid']}")
        wait_until(lambda: kubectl.get("dv", new_one)["status"].get("phase") == "Succeeded", "it is done")
        told = {item["type"]: item for item in kubectl.get("dv", new_one)["status"]["conditions"]}
        assert told["Ready"]["status"] == "True"
        text = f"Import Complete: nothing was written, as new volumes of storage class {class_name} are zero"
        assert (told["Running"]["reason"], told["Running"]["message"]) == ("Completed", text)
        assert names_of("pods") == before["pods"]

        bind(kubectl, claim_of(old_one), f"{class_name}-of-before")
        worker = f"importer-{old_one}"
        wait_until(lambda: kubectl.run("get", "pod", worker).returncode == 0, "a worker, for an old volume")
        assert names_of("pvc") - before["pvc"] == {old_one, new_one}
        assert kubectl.get("volumeimportsources")["items"] == []
