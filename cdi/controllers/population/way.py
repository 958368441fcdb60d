"""Who populates a claim. Pure."""

from __future__ import annotations

from enum import Enum

from cdi.contract import annotations as a
from cdi.controllers.claims.finished import names_clone_source
from cdi.controllers.population.kind import Kind
from cdi.controllers.population.kinds import KINDS
from cdi.kube.storage import PersistentVolumeClaim

GROUP = "cdi.kubevirt.io"


class Way(Enum):
    NONE = "none"  # nobody of us, or another controller
    DIRECT = "direct"  # a worker writes to the claim itself
    CLONE = "clone"  # the storage, or a worker, makes a claim beside it, whose volume becomes the claim's
    POPULATOR = "populator"  # a worker writes to PVC', whose volume becomes the claim's


def way_of(claim: PersistentVolumeClaim) -> Way:
    """``kind_of`` says which kind of work is to be done in the direct and the populators' way."""
    annotations, reference = claim.metadata.annotations, claim.spec.data_source_ref
    if names_clone_source(claim):
        return Way.NONE if reference is not None and reference.namespace else Way.CLONE
    if _kind_of_reference(claim) is not None:
        return Way.NONE if reference is not None and reference.namespace else Way.POPULATOR
    if any(key in annotations for key in (a.EXTERNAL, a.POPULATOR_KIND)) or _is_said_to_be_populated(claim):
        return Way.NONE
    if a.CLONE_OF in annotations and annotations[a.CLONE_OF] == "true" and a.OWN_CLONE_MARK not in annotations:
        return Way.NONE  # cloned by another version
    return Way.NONE if kind_of(claim) is None else Way.DIRECT


def kind_of(claim: PersistentVolumeClaim) -> Kind | None:
    """The kind of work on a claim, or on a PVC', whether or not it is done."""
    annotations = claim.metadata.annotations
    populator = next((kind for kind in KINDS if kind.source_kind == annotations.get(a.POPULATOR_KIND)), None)
    asked = (kind for kind in KINDS if kind.asked(annotations) is not None)
    return _kind_of_reference(claim) or populator or next(asked, None)


def is_being_filled(claim: PersistentVolumeClaim) -> bool:
    """Something was asked for, and there is no sign that it was done."""
    match way_of(claim):
        case Way.DIRECT:
            return claim.metadata.annotations.get(a.POD_PHASE) != "Succeeded"
        case Way.POPULATOR | Way.CLONE:
            return not claim.spec.volume_name
        case _:
            return False


def _kind_of_reference(claim: PersistentVolumeClaim) -> Kind | None:
    reference = claim.spec.data_source_ref
    if reference is None or reference.api_group != GROUP:
        return None
    return next((kind for kind in KINDS if kind.source_kind == reference.kind), None)


def _is_said_to_be_populated(claim: PersistentVolumeClaim) -> bool:
    """As claims of backups are, and those that were bound to a volume with data: for the DataVolume of their name."""
    return claim.metadata.annotations.get(a.POPULATED_FOR) == claim.metadata.name
