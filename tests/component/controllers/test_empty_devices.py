"""Empty block volumes, against a real API server. Nobody provisions and binds here: the test does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from support.controller import Controller, storage_class, wait_until
from support.webhooks import Kubectl

DRIVER = "rook-ceph.rbd.csi.ceph.com"


def an_empty_device(name: str) -> dict[str, Any]:
    storage = {"storageClassName": "ceph", "volumeMode": "Block", "resources": {"requests": {"storage": "1Gi"}}}
    kind = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": name}}
    return kind | {"spec": {"source": {"blank": {}}, "storage": storage}}


def bind(kubectl: Kubectl, claim: dict[str, Any], volume: str) -> None:
    """As a provisioner and the cluster's binder do it."""
    spec = {
        "capacity": {"storage": "1Gi"},
        "accessModes": claim["spec"]["accessModes"],
        "volumeMode": "Block",
        "storageClassName": "ceph",
        "csi": {"driver": DRIVER, "volumeHandle": volume},
        "claimRef": {
            "namespace": "default",
            "name": claim["metadata"]["name"],
            "uid": claim["metadata"]["uid"],
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
        },
    }
    metadata = {"name": volume, "annotations": {"pv.kubernetes.io/provisioned-by": DRIVER}}
    made = {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": metadata, "spec": spec}
    kubectl.done("create", "-f", "-", objects=made)
    name = claim["metadata"]["name"]
    kubectl.done("patch", "pvc", name, "--type=merge", "-p", json.dumps({"spec": {"volumeName": volume}}))
    bound = {"status": {"phase": "Bound", "capacity": {"storage": "1Gi"}, "accessModes": claim["spec"]["accessModes"]}}
    kubectl.done("patch", "pvc", name, "--subresource=status", "--type=merge", "-p", json.dumps(bound))


@pytest.mark.slow
def test_one_claim_and_no_worker_where_new_volumes_are_zeroed(kubectl: Kubectl, access: Path, tmp_path: Path) -> None:
    driver = {"apiVersion": "storage.k8s.io/v1", "kind": "CSIDriver", "metadata": {"name": DRIVER}, "spec": {}}
    for made in (driver, storage_class("ceph", DRIVER)):
        kubectl.done("apply", "-f", "-", objects=made)

    def claim_of(name: str) -> dict[str, Any]:
        wait_until(lambda: kubectl.run("get", "pvc", name).returncode == 0, f"the claim {name}")
        found: dict[str, Any] = kubectl.get("pvc", name)
        assert "dataSourceRef" not in found["spec"]
        return found

    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        for name in ("new", "found"):
            kubectl.done("apply", "-f", "-", objects=an_empty_device(name))

        new = claim_of("new")
        bind(kubectl, new, f"pvc-{new['metadata']['uid']}")
        wait_until(lambda: kubectl.get("dv", "new")["status"].get("phase") == "Succeeded", "it is done")
        told = {item["type"]: item for item in kubectl.get("dv", "new")["status"]["conditions"]}
        assert told["Ready"]["status"] == "True"
        text = "Import Complete: nothing was written, as new volumes of storage class ceph are zero"
        assert (told["Running"]["reason"], told["Running"]["message"]) == ("Completed", text)
        assert kubectl.get("pods")["items"] == []

        bind(kubectl, claim_of("found"), "of-before")
        wait_until(lambda: kubectl.run("get", "pod", "importer-found").returncode == 0, "a worker, for an old volume")
        assert [item["metadata"]["name"] for item in kubectl.get("pvc")["items"]] == ["found", "new"]
        assert kubectl.get("volumeimportsources")["items"] == []
