"""What to do about a DataVolume. Pure.

    no claim  --> PVC from spec and profile, plus a VolumeImportSource where a CSI driver serves the class
    a claim   --> ours: kept right;  populated for us, or adoptable: taken over;  somebody else's: said so
    Succeeded --> the source object has done its work

What becomes of the claim is the population controller's; here it is only read off, for the status.
"""

from __future__ import annotations

from cdi.api.phase import Phase
from cdi.base.faults import Fault
from cdi.contract import annotations as a
from cdi.controllers.claims.finished import stays_succeeded
from cdi.controllers.datavolume import cloning
from cdi.controllers.datavolume.belonging import is_populated_for, needs_work, was_made_for
from cdi.controllers.datavolume.claim import NO_CLASS, claim_body, source_body
from cdi.controllers.datavolume.external import external_obstacle
from cdi.controllers.datavolume.filling import filling_of
from cdi.controllers.datavolume.kept import own_source, source_kept
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.datavolume.plan import (
    Action,
    AdoptClaim,
    AnnotateClaim,
    AnnotateVolume,
    CreateClaim,
    CreateSource,
    Emit,
    Hold,
    Plan,
)
from cdi.controllers.datavolume.static import may_take_static, static_bound, static_list
from cdi.controllers.datavolume.way import uses_populator
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.rendering import ClaimNotValid


def decide(seen: Observed) -> Plan:
    if seen.volume.metadata.deletion_timestamp:
        return Plan(status=False)
    operation, name = operation_of(seen.volume)
    if operation is Operation.NONE:
        return Plan(status=False)
    if seen.claim is not None:
        return _with_claim(seen, seen.claim, operation)
    if a.PRE_POPULATED in seen.volume.metadata.annotations:
        return Plan()
    if operation is Operation.UNSERVED and not may_take_static(seen):
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
        if filling is not None and operation is Operation.CLONE and not may_take_static(seen):
            return cloning.claimed(seen, filling)
        populator = filling if filling is not None and uses_populator(seen) else None
        static = static_list(seen)
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
    if populator is not None and not static and own_source(seen) is None:
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
        return static_bound(seen, claim)
    actions = [*_marked(seen, claim)]
    filling = filling_of(seen.volume)
    if filling is not None and was_made_for(seen, claim):
        keep = cloning.kept if operation is Operation.CLONE else source_kept
        actions += [*_hastened(seen, claim), *_strict(seen, claim), *keep(seen, claim, filling)]
    if operation is Operation.EXTERNAL and (obstacle := external_obstacle(seen, claim)):
        actions.append(obstacle)
    return Plan(tuple(actions))


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
