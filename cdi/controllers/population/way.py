"""Who populates a claim, and whether that may begin. Pure."""

from __future__ import annotations

from enum import Enum

from cdi.contract import annotations as a
from cdi.controllers.cluster import Cluster
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from cdi.sources.request import parameters_of

GROUP = "cdi.kubevirt.io"
IMPORT_SOURCE = "VolumeImportSource"
_UNSERVED = ("VolumeUploadSource", "VolumeCloneSource")


class Way(Enum):
    NONE = "none"  # nobody of us, or another controller
    UNSERVED = "unserved"  # asks for what is accepted, and not acted on by this version
    DIRECT = "direct"  # a worker writes to the claim itself
    POPULATOR = "populator"  # a worker writes to PVC', whose volume becomes the claim's


def way_of(claim: PersistentVolumeClaim) -> Way:
    annotations = claim.metadata.annotations
    reference = claim.spec.data_source_ref
    if reference is not None and reference.api_group == GROUP and reference.kind == IMPORT_SOURCE:
        return Way.NONE if reference.namespace else Way.POPULATOR
    if _asks_for_more(claim):
        return Way.UNSERVED
    if any(key in annotations for key in (a.EXTERNAL, a.POPULATOR_KIND)) or _is_said_to_be_populated(claim):
        return Way.NONE
    return Way.DIRECT if parameters_of(annotations) is not None else Way.NONE


def _is_said_to_be_populated(claim: PersistentVolumeClaim) -> bool:
    """As claims of backups are, and those that were bound to a volume with data: for the DataVolume of their name."""
    return claim.metadata.annotations.get(a.POPULATED_FOR) == claim.metadata.name


def is_served_by_populator(claim: PersistentVolumeClaim) -> bool:
    """Whether it names one of our sources for uploads or clones."""
    reference = claim.spec.data_source_ref
    return reference is not None and reference.api_group == GROUP and reference.kind in _UNSERVED


def _asks_for_more(claim: PersistentVolumeClaim) -> bool:
    """An upload or a clone that is still to be done."""
    if is_served_by_populator(claim):
        return not claim.spec.volume_name
    annotations = claim.metadata.annotations
    asks = a.UPLOAD_TARGET in annotations or a.CLONE_REQUEST in annotations
    is_done = annotations.get(a.POD_PHASE) == "Succeeded" or annotations.get(a.CLONE_OF) == "true"
    return asks and not is_done


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
