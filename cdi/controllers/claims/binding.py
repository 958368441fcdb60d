"""What a claim and its storage class say of when, and whether, it may be populated. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.cluster import Cluster
from cdi.kube.storage import PersistentVolumeClaim, StorageClass


def is_prime_of(claim: PersistentVolumeClaim, target: PersistentVolumeClaim) -> bool:
    """Whether it was made for ``target``: its name proves nothing, anybody can compute it."""
    return claim.metadata.controller_uid == target.metadata.uid


def waits_for_consumer(storage_class: StorageClass | None) -> bool:
    return storage_class is not None and storage_class.volume_binding_mode == "WaitForFirstConsumer"


def is_bound(claim: PersistentVolumeClaim) -> bool:
    return claim.status.phase == "Bound"


def awaits_consumer(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> bool:
    """A populator may not begin: nobody knows yet on which node the volume is needed."""
    annotations = claim.metadata.annotations
    return waits_for_consumer(storage_class) and a.SELECTED_NODE not in annotations and a.IMMEDIATE not in annotations


def worker_may_start(claim: PersistentVolumeClaim, storage_class: StorageClass | None, cluster: Cluster) -> bool:
    """A pod on an unbound claim makes sense only where it is the consumer that the class waits for. Anywhere else it
    would sit in the scheduler's back-off, or, sent to a node already, in the kubelet's, 10 s after the claim is bound.
    """
    if claim.status.phase != "Pending":
        return is_bound(claim)  # one that is Lost will never have its volume again
    annotations = claim.metadata.annotations
    wanted = a.IMMEDIATE in annotations or not cluster.honors_consumers
    return wanted and waits_for_consumer(storage_class) and a.SELECTED_NODE not in annotations


def obstacle(claim: PersistentVolumeClaim, storage_class: StorageClass | None) -> str:
    """Why no populator can serve the claim; empty when one can."""
    where = f"{claim.metadata.namespace}/{claim.metadata.name}"
    name = claim.spec.storage_class_name
    if name == "":
        return f"PVC {where} has empty storage class name"
    if storage_class is None:
        return f"storage class {name} not found" if name else f"PVC {where} has no storage class yet"
    if storage_class.provisioner.startswith("kubernetes.io/") and a.MIGRATED_TO not in claim.metadata.annotations:
        return f"storage class {name}: in-tree provisioner {storage_class.provisioner} does not serve populators"
    return ""
