"""The provisioner of the classes `shared` and `unknown`: a directory per claim, mounted by every pod as a hostPath.

It has no CSIDriver object and speaks no CSI, like many storage systems of the field: nothing can fill its claims but
a pod that mounts them. A program of its own: ``python -m tests.cluster.bed.provisioner DIRECTORY``.
"""

from __future__ import annotations

import os
import shutil
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kubernetes import client, config, watch
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.cluster.bed import place

PROVISIONERS = frozenset({"shared.bed.test", "unknown.bed.test"})
_MODE = 0o2770
_OWNER = 107  # qemu, the user of CDI's workers and of KubeVirt's launchers
_WANTED = "volume.kubernetes.io/storage-provisioner"  # Kubernetes writes it when a claim needs a volume
_NODE_CHOSEN = "volume.kubernetes.io/selected-node"
_MADE_BY = "pv.kubernetes.io/provisioned-by"
_CONFLICT, _NOT_FOUND = 409, 404


def main(directory: Path) -> None:
    config.load_kube_config(str(place.KUBECONFIG))
    api, storage = client.CoreV1Api(), client.StorageV1Api()
    claims = threading.Thread(
        name="claims", daemon=True,
        target=_follow, args=(api.list_persistent_volume_claim_for_all_namespaces, _Provision(api, storage, directory)),
    )  # fmt: skip
    claims.start()
    _follow(api.list_persistent_volume, _Delete(api, directory))


def _follow(listing: Callable[..., Any], act: Callable[[Any], None]) -> None:
    """Each object that is there, then each change; from the start again when the API server went away."""
    while True:
        try:
            for event in watch.Watch().stream(listing, timeout_seconds=600):
                if event["type"] in {"ADDED", "MODIFIED"}:
                    act(event["object"])
        except (ApiException, HTTPError, OSError):
            traceback.print_exc()
            threading.Event().wait(0.5)


class _Provision:
    def __init__(self, api: client.CoreV1Api, storage: client.StorageV1Api, directory: Path) -> None:
        self._api = api
        self._storage = storage
        self._directory = directory

    def __call__(self, claim: Any) -> None:
        annotations = claim.metadata.annotations or {}
        provisioner = annotations.get(_WANTED)
        if provisioner not in PROVISIONERS or claim.spec.volume_name or claim.metadata.deletion_timestamp:
            return
        if claim.spec.volume_mode == "Block":
            return  # as a provisioner that cannot: the claim stays Pending
        kind = self._storage.read_storage_class(claim.spec.storage_class_name)
        if kind.volume_binding_mode == "WaitForFirstConsumer" and _NODE_CHOSEN not in annotations:
            return
        name = f"pvc-{claim.metadata.uid}"
        path = self._directory / name
        path.mkdir(exist_ok=True)
        os.chown(path, _OWNER, _OWNER)
        path.chmod(_MODE)
        try:
            self._api.create_persistent_volume(_volume(name, path, claim, provisioner))
        except ApiException as error:
            if error.status != _CONFLICT:  # it is there already: the claim is about to be bound
                raise


def _volume(name: str, path: Path, claim: Any, provisioner: str) -> dict[str, Any]:
    reference = {"kind": "PersistentVolumeClaim", "apiVersion": "v1", "namespace": claim.metadata.namespace,
                 "name": claim.metadata.name, "uid": claim.metadata.uid}  # fmt: skip
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolume",
        "metadata": {"name": name, "annotations": {_MADE_BY: provisioner}},
        "spec": {
            "accessModes": claim.spec.access_modes,
            "capacity": {"storage": claim.spec.resources.requests["storage"]},
            "claimRef": reference,
            "hostPath": {"path": str(path), "type": "Directory"},
            "persistentVolumeReclaimPolicy": "Delete",
            "storageClassName": claim.spec.storage_class_name,
            "volumeMode": "Filesystem",
        },
    }


class _Delete:
    def __init__(self, api: client.CoreV1Api, directory: Path) -> None:
        self._api = api
        self._directory = directory

    def __call__(self, volume: Any) -> None:
        made_by = (volume.metadata.annotations or {}).get(_MADE_BY)
        released = volume.status.phase == "Released" and volume.spec.persistent_volume_reclaim_policy == "Delete"
        if made_by not in PROVISIONERS or not released:
            return
        shutil.rmtree(self._directory / volume.metadata.name, ignore_errors=True)
        try:
            self._api.delete_persistent_volume(volume.metadata.name)
        except ApiException as error:
            if error.status != _NOT_FOUND:
                raise


if __name__ == "__main__":
    main(Path(sys.argv[1]))
