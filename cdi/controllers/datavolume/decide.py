"""What to do about a DataVolume. Pure.

    no claim  --> PVC from spec and profile, plus a VolumeImportSource where a CSI driver serves the class
    a claim   --> ours: kept right;  populated for us, or adoptable: taken over;  somebody else's: said so
    Succeeded --> the source object has done its work

What becomes of the claim is the population controller's; here it is only read off, for the status.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from msgspec import to_builtins

from cdi.api.datavolume import FROM_PROFILE
from cdi.api.phase import Phase
from cdi.api.populators import VolumeImportSource, VolumeSource
from cdi.base.faults import Fault
from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.changes import difference
from cdi.controllers.claims.finished import stays_succeeded
from cdi.controllers.classes import plain
from cdi.controllers.cluster import CLAIM_ADOPTION
from cdi.controllers.datavolume.claim import (
    NO_CLASS,
    claim_body,
    claim_spec,
    source_body,
    source_spec,
    wants_preallocation,
)
from cdi.controllers.datavolume.external import external_obstacle
from cdi.controllers.datavolume.filling import Filling, filling_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.datavolume.plan import (
    Action,
    AdoptClaim,
    AnnotateClaim,
    AnnotateVolume,
    CorrectSource,
    CreateClaim,
    CreateSource,
    DeleteClaim,
    DeleteSource,
    Emit,
    Hold,
    Plan,
)
from cdi.kube.decoding import told
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim
from cdi.sources.request import asked_of, edited
from storageprofiles.classes import new_volumes_are_zeroed
from storageprofiles.rendering import ClaimNotValid

_TRY_AGAIN_S = 5.0
_LIST_CHARACTERS = 1 << 18  # of names of volumes: as much as all annotations of an object have


def decide(seen: Observed) -> Plan:
    if seen.volume.metadata.deletion_timestamp:
        return Plan(status=False)
    operation, name = operation_of(seen.volume, seen.referred)
    if operation is Operation.NONE:
        return Plan(status=False)
    if seen.claim is not None:
        return _with_claim(seen, seen.claim, operation)
    if a.PRE_POPULATED in seen.volume.metadata.annotations:
        return Plan()
    if operation is Operation.UNSERVED and not _may_take_static(seen):
        text = f"source {name} is accepted, but not acted on by this version"
        fault = Fault("NotActedOn", source=f"source {name}")
        return Plan((Emit("Warning", "NotActedOn", text),), Hold("NotActedOn", text, "Pending", fault=fault))
    return _claimed(seen, operation)


def _claimed(seen: Observed, operation: Operation) -> Plan:
    if seen.volume.status.phase == Phase.SUCCEEDED:
        # Said before it is done: a bound claim of a DataVolume that has Succeeded is never worked on.
        return Plan(hold=Hold("NotFound", "No PVC found", Phase.PENDING, ready=False))
    try:
        filling = filling_of(seen.volume)
        populator = filling if filling is not None and uses_populator(seen) else None
        static = _static(seen)
        body = claim_body(seen, populator, static)
    except ClaimNotValid as refused:
        text = str(refused)  # the watch on classes, profiles, volumes and the configuration tells when to look again
        hold = Hold("ErrClaimNotValid", text, "", fault=_no_claim(seen, text))
        return Plan((Emit("Warning", "ErrClaimNotValid", text),), hold)
    if operation is Operation.EXTERNAL:
        body["metadata"]["annotations"][a.EXTERNAL] = "true"
        return Plan((CreateClaim(body),))
    actions: list[Action] = _warned(seen)
    if a.USE_POPULATOR not in seen.volume.metadata.annotations:
        actions.append(AnnotateVolume({a.USE_POPULATOR: "true" if populator else "false"}))
    if populator is not None and not static and _own_source(seen) is None:
        actions.append(CreateSource(source_body(seen, populator)))
    return Plan((*actions, CreateClaim(body)))


def _no_claim(seen: Observed, text: str) -> Fault:
    if text != NO_CLASS:
        return Fault("ErrClaimNotValid", contract=text)
    if seen.named_class:
        return Fault("StorageClassUnknown", contract=text, name=seen.named_class, hint="")
    if seen.named_class == "":  # asked for: no default takes its place
        return Fault("ClasslessVolumeMissing", contract=text)
    return Fault("DefaultClassMissing", contract=text)


def _warned(seen: Observed) -> list[Action]:
    storage = seen.volume.spec.storage
    if not seen.is_assumed or storage is None or storage.access_modes or seen.storage_class is None:
        return []
    name = seen.storage_class.metadata.name
    text = (
        f"nothing is known of provisioner {seen.storage_class.provisioner}: ReadWriteOnce is assumed. "
        f"Say what it can do in StorageProfile {name}, spec.claimPropertySets"
    )
    return [Emit("Warning", "DefaultClaimProperties", text)]


def uses_populator(seen: Observed) -> bool:
    """Once decided it stays: the claim is made for it. Raises ClaimNotValid."""
    said = seen.volume.metadata.annotations.get(a.USE_POPULATOR)
    if said is not None:
        return said.lower() in ("true", "t", "1")
    return seen.has_driver and not _is_done_when_made(seen)


def _is_done_when_made(seen: Observed) -> bool:
    """An empty disk on a class whose new block volumes are zeroed: another claim would only count twice in a quota.
    Whether the volume is new is seen when the claim has one; a worker writes to it then if it is not."""
    source, storage_class = seen.volume.spec.source, seen.storage_class
    if source is None or source.blank is None or storage_class is None or wants_preallocation(seen):
        return False
    return new_volumes_are_zeroed(plain(storage_class)) and claim_spec(seen).get("volumeMode") == "Block"


def _static(seen: Observed) -> str:
    """The volumes that the claim may be bound to as they are."""
    if a.CHECK_STATIC not in seen.volume.metadata.annotations or not seen.volumes:
        return ""
    spec = claim_spec(seen)
    names = [volume.metadata.name for volume in seen.volumes if _fits(volume, spec)]
    return json.dumps(names) if names else ""


def _may_take_static(seen: Observed) -> bool:
    """A volume with data is taken as it is, whatever else would have filled it."""
    try:
        return bool(_static(seen))
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


# --- there is a claim -----------------------------------------------------------------------------------------------


def _with_claim(seen: Observed, claim: PersistentVolumeClaim, operation: Operation) -> Plan:
    name = claim.metadata.name
    if claim.metadata.deletion_timestamp:
        return Plan((Emit("Warning", "ErrResourceMarkedForDeletion", f'Resource "{name}" marked for deletion'),))
    if claim.metadata.controller_uid != seen.uid:
        if not claim.metadata.controller_uid and not needs_work(seen, claim):
            return Plan((AdoptClaim(claim), *_marked(seen, claim)))
        text = f'Resource "{name}" already exists and is not managed by DataVolume'
        return Plan((Emit("Warning", "ErrResourceExists", text),))
    if a.VOLUME_LIST in claim.metadata.annotations and not stays_succeeded(seen.volume, claim):
        return _static_bound(seen, claim)
    actions = [*_marked(seen, claim)]
    filling = filling_of(seen.volume)
    if filling is not None and was_made_for(seen, claim):
        actions += [*_hastened(seen, claim), *_strict(seen, claim), *_source_kept(seen, claim, filling)]
    if operation is Operation.EXTERNAL and (obstacle := external_obstacle(seen, claim)):
        actions.append(obstacle)
    return Plan(tuple(actions))


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


def _marked(seen: Observed, claim: PersistentVolumeClaim) -> list[Action]:
    bound = claim.status.phase == "Bound"
    if bound and is_populated_for(seen, claim) and a.PRE_POPULATED not in seen.volume.metadata.annotations:
        return [AnnotateVolume({a.PRE_POPULATED: claim.metadata.name})]
    said = seen.volume.metadata.annotations.get(a.POPULATED_FOR)
    done = seen.volume.status.phase == "Succeeded"
    if done and said is not None and claim.metadata.annotations.get(a.POPULATED_FOR) != said:
        return [AnnotateClaim(claim, {a.POPULATED_FOR: said})]  # before, it would have said that there is nothing to do
    return []


def _hastened(seen: Observed, claim: PersistentVolumeClaim) -> list[Action]:
    """Somebody has no patience with a claim that waits for its consumer, and says so where the message asks for it."""
    said = seen.volume.metadata.annotations.get(a.IMMEDIATE)
    if said is None or a.IMMEDIATE in claim.metadata.annotations or claim.status.phase == "Bound":
        return []
    return [AnnotateClaim(claim, {a.IMMEDIATE: said})]


def _strict(seen: Observed, claim: PersistentVolumeClaim) -> list[Action]:
    """What a permanent fault does may be decided when one is there."""
    said = seen.volume.metadata.annotations.get(a.OWN_FAILURE_POLICY)
    if claim.metadata.annotations.get(a.OWN_FAILURE_POLICY) == said:
        return []
    return [AnnotateClaim(claim, {a.OWN_FAILURE_POLICY: said})]


def _static_bound(seen: Observed, claim: PersistentVolumeClaim) -> Plan:
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


def _own_source(seen: Observed) -> VolumeSource | None:
    """Anybody may have made an object of its name: that one is not corrected, and not deleted."""
    return seen.source if seen.source is not None and seen.source.metadata.controller_uid == seen.uid else None


def _source_kept(seen: Observed, claim: PersistentVolumeClaim, filling: Filling) -> list[Action]:
    source, spec = _own_source(seen), seen.volume.spec
    over: list[Action] = [DeleteSource(source.kind, source.metadata.name, source.metadata.uid)] if source else []
    if claim.spec.data_source_ref is None:
        if spec.source is None or claim.metadata.annotations.get(a.POD_PHASE) == "Succeeded":
            return over
        if stays_succeeded(seen.volume, claim):
            return over
        wanted = edited(claim.metadata.annotations, asked_of(spec.source, seen.volume.metadata.annotations))
        changed = {key: value for key, value in wanted.items() if claim.metadata.annotations.get(key, "") != value}
        return over + ([AnnotateClaim(claim, changed)] if changed and not is_populated_for(seen, claim) else [])
    if seen.volume.status.phase == "Succeeded" and claim.status.phase == "Bound":
        return over
    if source is None:
        is_done = claim.metadata.annotations.get(a.POD_PHASE) == "Succeeded"
        return [] if is_done else [CreateSource(source_body(seen, filling))]
    return _source_corrected(seen, claim, source) if isinstance(source, VolumeImportSource) else []


def _source_corrected(seen: Observed, claim: PersistentVolumeClaim, source: VolumeImportSource) -> list[Action]:
    """What is imported may be edited while the import is held."""
    changes = difference({"source": to_builtins(source.spec.source)}, {"source": source_spec(seen)["source"]})
    corrected: list[Action] = [CorrectSource(source.kind, source.metadata.name, changes)] if changes else []
    checksum = seen.volume.metadata.annotations.get(a.CHECKSUM)
    if claim.metadata.annotations.get(a.CHECKSUM) != checksum:
        corrected.append(AnnotateClaim(claim, {a.CHECKSUM: checksum}))
    return corrected
