"""Whose a claim is that has the name of a DataVolume, and whether there is anything left to do on it. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.cluster import CLAIM_ADOPTION
from cdi.controllers.datavolume.observed import Observed
from cdi.kube.storage import PersistentVolumeClaim


def is_populated_for(seen: Observed, claim: PersistentVolumeClaim) -> bool:
    return claim.metadata.annotations.get(a.POPULATED_FOR) == seen.volume.metadata.name


def was_made_for(seen: Observed, claim: PersistentVolumeClaim) -> bool:
    """Only such a claim is ever told what to import: in any other one there may be somebody's data."""
    return claim.metadata.annotations.get(a.CREATED_FOR) == seen.uid


def is_adoptable(seen: Observed, claim: PersistentVolumeClaim) -> bool:
    """Not made for this DataVolume, and somebody allows to take it as it is, or has allowed it: what was taken over
    once stays so."""
    if was_made_for(seen, claim):
        return False
    if claim.metadata.controller_uid == seen.uid:
        return not seen.is_being_filled  # another version may have made it for us, without saying so
    said = seen.volume.metadata.annotations.get(a.ADOPTION)
    return CLAIM_ADOPTION in seen.cluster.gates if said is None else said.lower() in ("true", "t", "1")


def needs_work(seen: Observed, claim: PersistentVolumeClaim) -> bool:
    return not is_populated_for(seen, claim) and not is_adoptable(seen, claim)
