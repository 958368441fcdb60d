"""PVC': the claim that a worker fills, whose volume is then handed to the target. And the scratch claim. Pure."""

from __future__ import annotations

from typing import Any

from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.settings import Settings
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.sizes import scratch as scratch_size


def prime_claim(target: PersistentVolumeClaim, kind: str, asked: dict[str, str], settings: Settings) -> dict[str, Any]:
    """Only what makes an equal volume is copied: selector, volumeName and data sources would bind it elsewhere.

    ``asked``: annotations that say what is imported. ``kind``: of the source object.
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
            | asked,
            "ownerReferences": [owner_reference("v1", "PersistentVolumeClaim", target.metadata)],
        },
        "spec": {
            "accessModes": list(target.spec.access_modes),
            "resources": {"requests": dict(target.spec.resources.requests)},
            "storageClassName": target.spec.storage_class_name,
            "volumeMode": target.spec.volume_mode or "Filesystem",
        },
    }


def scratch_claim(  # noqa: PLR0913  keywords
    claim: PersistentVolumeClaim,
    pod: Pod,
    *,
    storage_class: str,
    overhead: str,
    scratch_overhead: str,
    settings: Settings,
) -> dict[str, Any]:
    """``storage_class``: of scratch space, empty for the class of the claim. It goes when the pod goes."""
    size = size_or_none(claim.spec.resources.requests.get("storage", "0")) or 0  # the API server took it for a size
    annotations = claim.metadata.annotations
    chosen = storage_class or claim.spec.storage_class_name
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.scratch(claim.metadata.name),
            "namespace": claim.metadata.namespace,
            "labels": a.APP | a.NO_BACKUP | dict(settings.labels),
            "annotations": {a.OWN_TARGET: pod.metadata.annotations.get(a.OWN_TARGET, claim.metadata.name)}
            | {key: annotations[key] for key in (a.SELECTED_NODE,) if key in annotations},
            "ownerReferences": [owner_reference("v1", "Pod", pod.metadata)],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": str(scratch_size(size, overhead, scratch_overhead))}},
            **({"storageClassName": chosen} if chosen else {}),
        },
    }
