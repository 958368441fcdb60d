"""PVC': the claim that a worker fills, whose volume is then handed to the target. Pure."""

from __future__ import annotations

from typing import Any

from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.settings import Settings
from cdi.kube.storage import PersistentVolumeClaim


def prime_claim(
    target: PersistentVolumeClaim, kind: str, request: dict[str, str], settings: Settings
) -> dict[str, Any]:
    """Only what makes an equal volume is copied: selector, volumeName and data sources would bind it elsewhere.

    ``request``: annotations that say what is to be done. ``kind``: of the source object.
    """
    kept = (a.RETAIN, a.SELECTED_NODE)
    annotations = target.metadata.annotations
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.prime(target.metadata.uid),
            "namespace": target.metadata.namespace,
            "labels": a.APP | a.NO_BACKUP | dict(settings.labels),
            "annotations": {a.IMMEDIATE: "", a.POPULATOR_KIND: kind}
            | {key: annotations[key] for key in kept if key in annotations}
            | a.passed_on(annotations)
            | request,
            "ownerReferences": [owner_reference("v1", "PersistentVolumeClaim", target.metadata)],
        },
        "spec": {
            "accessModes": list(target.spec.access_modes),
            "resources": {"requests": dict(target.spec.resources.requests)},
            "storageClassName": target.spec.storage_class_name,
            "volumeMode": target.spec.volume_mode or "Filesystem",
        },
    }
