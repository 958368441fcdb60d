"""Whether the claim of a DataVolume holds what was asked for, whoever populated it. Pure.

A DataVolume that has Succeeded stays so while its claim is bound: in the claim a VM may run, and what another version
wrote on it, or a backup restored without, is no reason to begin again. (Where the claim is gone, its controller takes
the phase back before it makes another one.)
"""

from __future__ import annotations

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.contract import annotations as a
from cdi.controllers.population.kinds import unserved
from cdi.controllers.population.way import Way, way_of
from cdi.kube.storage import PersistentVolumeClaim


def stays_succeeded(volume: DataVolume, claim: PersistentVolumeClaim) -> bool:
    return volume.status.phase == Phase.SUCCEEDED and _has_volume(claim)


def is_being_filled(claim: PersistentVolumeClaim) -> bool:
    """Something was asked for, and there is no sign that it was done."""
    match way_of(claim):
        case Way.DIRECT:
            return claim.metadata.annotations.get(a.POD_PHASE) != "Succeeded"
        case Way.POPULATOR:
            return not claim.spec.volume_name
        case Way.UNSERVED:
            return True
        case _:
            return False


def was_populated_elsewhere(claim: PersistentVolumeClaim) -> bool:
    """By an upload or a clone, which this version does not perform: another version may have, before it was replaced by
    this one. A populator binds the claim only when its work is done."""
    if claim.status.phase != "Bound":
        return False
    annotations = claim.metadata.annotations
    said = (annotations.get(a.POD_PHASE), annotations.get(a.CLONE_PHASE))
    return "Succeeded" in said or annotations.get(a.CLONE_OF) == "true" or unserved.names_source(claim)


def _has_volume(claim: PersistentVolumeClaim) -> bool:
    """Bound, or handed its volume a moment ago: Succeeded is said then."""
    return claim.status.phase == "Bound" or (claim.status.phase == "Pending" and bool(claim.spec.volume_name))
