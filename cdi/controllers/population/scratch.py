"""Scratch space: a claim beside the one that a worker fills, made when the worker asks for it. Pure."""

from __future__ import annotations

from typing import Any

from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.population.kind import Case
from cdi.controllers.population.report import Outcome, Report
from cdi.kube.pods import Pod
from cdi.kube.resources import PODS
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.sizes import scratch as scratch_size

SCRATCH_VOLUME = "cdi-scratch-vol"


def scratch_claim(case: Case, pod: Pod) -> dict[str, Any]:
    """It goes when ``pod`` goes."""
    claim, seen = case.claim, case.seen
    size = size_or_none(claim.spec.resources.requests.get("storage", "0")) or 0  # the API server took it for a size
    annotations = claim.metadata.annotations
    storage_class = seen.cluster.scratch_class or claim.spec.storage_class_name
    wanted = scratch_size(size, seen.overhead, seen.scratch_overhead)
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {
            "name": names.scratch(claim.metadata.name),
            "namespace": claim.metadata.namespace,
            "labels": a.APP | a.NO_BACKUP | dict(seen.settings.labels),
            "annotations": {a.OWN_TARGET: pod.metadata.annotations.get(a.OWN_TARGET, claim.metadata.name)}
            | {key: annotations[key] for key in (a.SELECTED_NODE,) if key in annotations},
            "ownerReferences": [owner_reference("v1", "Pod", pod.metadata)],
        },
        "spec": {
            "accessModes": ["ReadWriteOnce"],
            "resources": {"requests": {"storage": str(wanted)}},
            **({"storageClassName": storage_class} if storage_class else {}),
        },
    }


def is_of_worker_before(case: Case, scratch: PersistentVolumeClaim) -> bool:
    """It goes with that worker: a pod that mounts it would keep it from going, and could not use it."""
    owner = next((owner for owner in scratch.metadata.owner_references if owner.controller), None)
    return owner is not None and owner.kind == PODS.kind and owner.name == case.worker_name


def mounts_scratch(pod: Pod) -> bool:
    return any(volume.name == SCRATCH_VOLUME for volume in pod.spec.volumes)


def may_mount(pod: Pod, scratch: PersistentVolumeClaim, report: Report) -> bool:
    """A pod that has started once has its scratch space, and keeps it, whatever becomes of the claim."""
    is_its_own = scratch.metadata.controller_uid == pod.metadata.uid and not scratch.metadata.deletion_timestamp
    return is_its_own or bool(report.running or report.restarts or report.outcome is not Outcome.NONE)
