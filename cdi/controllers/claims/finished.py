"""Whether the claim of a DataVolume holds what was asked for, whoever populated it. Pure.

A DataVolume that has Succeeded stays so while its claim is bound: in the claim a VM may run, and what another version
wrote on it, or a backup restored without, is no reason to begin again. (Where the claim is gone, its controller takes
the phase back before it makes another one.)
"""

from __future__ import annotations

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.api.populators import CLONE_KIND
from cdi.contract import annotations as a
from cdi.kube.storage import PersistentVolumeClaim

_GROUP = "cdi.kubevirt.io"


def stays_succeeded(volume: DataVolume, claim: PersistentVolumeClaim) -> bool:
    return volume.status.phase == Phase.SUCCEEDED and _has_volume(claim)


def was_populated_elsewhere(claim: PersistentVolumeClaim) -> bool:
    """By another version, before it was replaced by this one, or by a clone. A populator binds the claim only when its
    work is done."""
    if claim.status.phase != "Bound":
        return False
    annotations = claim.metadata.annotations
    said = (annotations.get(a.POD_PHASE), annotations.get(a.CLONE_PHASE))
    return "Succeeded" in said or annotations.get(a.CLONE_OF) == "true" or names_clone_source(claim)


def names_clone_source(claim: PersistentVolumeClaim) -> bool:
    reference = claim.spec.data_source_ref
    return reference is not None and reference.api_group == _GROUP and reference.kind == CLONE_KIND


def _has_volume(claim: PersistentVolumeClaim) -> bool:
    """Bound, or handed its volume a moment ago: Succeeded is said then."""
    return claim.status.phase == "Bound" or (claim.status.phase == "Pending" and bool(claim.spec.volume_name))
