"""Volumes with data that somebody made for the claim of a DataVolume: it is bound to one of them as it is. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cdi.api.datavolume import FROM_PROFILE
from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.datavolume.claim import claim_spec
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import AnnotateClaim, DeleteClaim, Plan
from cdi.kube.decoding import told
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim
from storageprofiles.rendering import ClaimNotValid

_TRY_AGAIN_S = 5.0
_LIST_CHARACTERS = 1 << 18  # of names of volumes: as much as all annotations of an object have


def static_list(seen: Observed) -> str:
    """The volumes that the claim may be bound to as they are."""
    if a.CHECK_STATIC not in seen.volume.metadata.annotations or not seen.volumes:
        return ""
    spec = claim_spec(seen)
    names = [volume.metadata.name for volume in seen.volumes if _fits(volume, spec)]
    return json.dumps(names) if names else ""


def may_take_static(seen: Observed) -> bool:
    """A volume with data is taken as it is, whatever else would have filled it."""
    try:
        return bool(static_list(seen))
    except ClaimNotValid:  # a clone need not say its size
        return False


def _fits(volume: PersistentVolume, spec: Mapping[str, Any]) -> bool:
    wanted = size_or_none(str(spec.get("resources", {}).get("requests", {}).get("storage", "0")))
    held = size_or_none(str(volume.spec.capacity.get("storage", "0")))
    large = wanted is not None and held is not None and held >= wanted
    same_class = spec.get("storageClassName") in (None, volume.spec.storage_class_name)
    modes = (FROM_PROFILE, volume.spec.volume_mode or "Filesystem")
    same_mode = (spec.get("volumeMode") or "Filesystem") in modes
    return large and same_class and same_mode and set(spec.get("accessModes", ())) <= set(volume.spec.access_modes)


def static_bound(seen: Observed, claim: PersistentVolumeClaim) -> Plan:
    """The claim is bound to one of the volumes that were meant, or it has to be made again."""
    if claim.status.phase != "Bound":
        return Plan()
    names = told(list[str], claim.metadata.annotations[a.VOLUME_LIST], _LIST_CHARACTERS)
    if names is None:
        return Plan()  # somebody edited it: which volumes were meant is not known any more, and nothing is taken away
    if claim.spec.volume_name in names:
        taken = {a.VOLUME_LIST: None, a.POPULATED_FOR: seen.volume.metadata.name}
        return Plan((AnnotateClaim(claim, taken),))
    return Plan((DeleteClaim(claim),), wait=_TRY_AGAIN_S)
