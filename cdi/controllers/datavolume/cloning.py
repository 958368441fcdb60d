"""What to do about a DataVolume that is cloned. Pure.

    what a DataSource stands for is not known                               --> said, and waited for
    another namespace, and no token that permits it                         --> said
    another namespace, and one that does     --> a lasting token and a finalizer, before anything is waited for
    the source is not there                                                 --> said, and waited for
    no size, and only a pod can know it                                     --> the pod, then its result on the source
    content, sizes or methods that do not fit                               --> CloneValidationFailed
    all is well  --> VolumeCloneSource, PVC
    a claim      --> a lasting token on it; the source object as long as it is needed
    Succeeded    --> the source object goes, then the finalizer

How the volume is cloned is decided on the claim, by the population controller; what cannot work is refused here.
"""

from __future__ import annotations

from typing import Any

import msgspec

from cdi.api.datavolume import FROM_PROFILE, GROUP
from cdi.api.phase import Phase
from cdi.api.populators import VolumeCloneSource
from cdi.base.faults import Fault
from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.claims.clone_facts import claim_source, claim_target, cluster_facts, snapshot_source, wishes
from cdi.controllers.claims.clone_record import clone_of
from cdi.controllers.datavolume import detection
from cdi.controllers.datavolume.claim import claim_body, owner_of, wants_preallocation
from cdi.controllers.datavolume.clone_size import Look, Size, clone_size
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.filling import Filling
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.origin import SNAPSHOT_GROUP, Origin
from cdi.controllers.datavolume.plan import (
    Action,
    AnnotateSource,
    AnnotateVolume,
    CreateClaim,
    CreateDetection,
    CreateSource,
    DeletePod,
    DeleteSource,
    Emit,
    Hold,
    Plan,
    SetFinalizers,
    VouchClaim,
    VouchVolume,
)
from cdi.controllers.datavolume.way import uses_populator
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles.clone import VALIDATION, Refusal, choose
from storageprofiles.clone import Plan as Chosen
from storageprofiles.clone_facts import Source

FINALIZER = a.C + "dataVolumeFinalizer"

_LOOK_AGAIN_S = 30.0  # after a pod has failed to see how large the source is
_NO_POPULATOR = "In tree storage class does not support snapshot/clone"
_RESTORED = (
    "a snapshot is restored by a CSI driver, and no CSIDriver object has the name of the target class's provisioner: "
    "choose the storage class of the snapshot's driver, and clone the claim that comes of it"
)
# What a DataVolume must not say to its claim: outputs of a former clone, and what only tokens decide.
_KEPT_BACK = (
    a.CLONE_TOKEN,
    a.EXTENDED_CLONE_TOKEN,
    a.CLONE_PHASE,
    a.CLONE_ERROR,
    a.CLONE_FALLBACK,
    a.CLONE_OF,
    a.CLONE_REQUEST,
    a.DATA_SOURCE_NAMESPACE,
    a.OWN_CLONE_PLAN,
)


def claimed(seen: Observed, filling: Filling) -> Plan:
    """There is no claim yet. Raises ClaimNotValid."""
    clone = seen.clone or Cloned()
    origin = clone.origin
    if origin is None:
        fault = Fault("DataSourceUnready", contract=clone.trouble)
        return _waiting("CloneWithoutSource", clone.trouble, Phase.PENDING, fault)
    if not clone.is_permitted:  # before anything is said of the source: nobody learns what exists elsewhere
        fault = Fault("CloneTokenMissing", source=str(origin), target=_place(seen))
        return _waiting("CloneNotPermitted", fault.message, None, fault)
    first = _vouched(seen, clone, origin)
    if first:  # before any wait: the token at hand is good for five minutes
        return Plan(tuple(first), Hold("CloneScheduled", _scheduled(seen, origin), Phase.CLONE_SCHEDULED))
    return _permitted(seen, clone, origin, filling)


def _permitted(seen: Observed, clone: Cloned, origin: Origin, filling: Filling) -> Plan:
    if not clone.exists:
        text = f"The source {origin.kind} {origin.name} doesn't exist"
        fault = Fault("CloneSourceMissing", contract=text, source=str(origin))
        return _waiting("CloneWithoutSource", text, None, fault)
    refusal = _ill_matched(seen, clone)
    if refusal is not None:
        return _refused(refusal)
    sized = _sized(seen, origin)
    if isinstance(sized, Plan):
        return sized
    return _made(seen, clone, origin, filling, sized)


def _made(seen: Observed, clone: Cloned, origin: Origin, filling: Filling, sized: Size) -> Plan:
    populator = filling if uses_populator(seen) else None
    body = claim_body(seen, populator, size=sized.size, inflates=sized.inflates)
    notes = {key: text for key, text in body["metadata"]["annotations"].items() if key not in _KEPT_BACK}
    if _is_ours(seen):
        notes.pop(a.CLONE_TYPE, None)
    if sized.is_permissive:
        notes[a.PERMISSIVE_CLONE] = "true"
    body["metadata"]["annotations"] = notes
    refusal = _refusal(seen, clone, body, by_populator=populator is not None)
    if refusal is not None:
        return _refused(refusal)
    notes |= _of_place(seen, origin, is_populator=populator is not None)
    actions: list[Action] = []
    if clone.detection is not None and detection.outcome(clone.detection).state is not detection.State.RUNS:
        actions.append(_pod_gone(clone.detection))  # its answer was kept, and then this process died
    if a.USE_POPULATOR not in seen.volume.metadata.annotations:
        actions.append(AnnotateVolume({a.USE_POPULATOR: "true" if populator else "false"}))
    told: tuple[Emit, ...] = ()
    if populator is None and origin.is_snapshot:
        return _refused(Refusal(code="CloneImpossible", text=_RESTORED))
    if populator is None:
        notes |= {a.CLONE_REQUEST: str(origin), a.USE_POPULATOR: "false"}
        notes |= {a.CLONE_TYPE: "copy", a.CLONE_FALLBACK: _NO_POPULATOR}
        told = (Emit("Warning", "NoPopulator", _NO_POPULATOR),)
    elif _source_at(clone, origin.namespace) is None:
        actions.append(CreateSource(_source_body(seen, origin, filling)))
    return Plan((*actions, CreateClaim(body, told)))


def _vouched(seen: Observed, clone: Cloned, origin: Origin) -> list[Action]:
    """Of a clone from another namespace: a right that lasts, and somebody who cleans up there."""
    metadata = seen.volume.metadata
    if origin.namespace == metadata.namespace:
        return []
    actions: list[Action] = []
    if not clone.is_lasting:
        actions.append(VouchVolume(origin.permit(metadata.namespace, metadata.name, metadata.uid)))
    if FINALIZER not in metadata.finalizers:
        actions.append(SetFinalizers((*metadata.finalizers, FINALIZER)))
    return actions


def _of_place(seen: Observed, origin: Origin, *, is_populator: bool) -> dict[str, str]:
    metadata = seen.volume.metadata
    if origin.namespace == metadata.namespace:
        return {}
    tokens = {
        key: metadata.annotations[key] for key in (a.CLONE_TOKEN, a.EXTENDED_CLONE_TOKEN) if key in metadata.annotations
    }
    return tokens | ({a.DATA_SOURCE_NAMESPACE: origin.namespace} if is_populator else {})


def _is_ours(seen: Observed) -> bool:
    """Whether annotation cloneType of the DataVolume is what a former claim said, and nobody's wish."""
    before = seen.volume.status.clone
    return before is not None and bool(before.method) and not before.asked


# --- what does not fit ----------------------------------------------------------------------------------------------


def _ill_matched(seen: Observed, clone: Cloned) -> Refusal | None:
    """Before a pod looks how large it is: nobody needs to know of what is not cloned."""
    if clone.claim is None:
        return None
    source, target = clone.claim.metadata.annotations.get(a.CONTENT_TYPE), seen.volume.spec.is_archive
    if (source == "archive") == target:
        return None
    words = ("archive", "kubevirt") if source == "archive" else ("kubevirt", "archive")
    text = f"source contentType ({words[0]}) and target contentType ({words[1]}) do not match: make the DataVolume "
    return Refusal(code="CloneContentMismatch", text=f"{text}with spec.contentType {words[0]}")


def preview(seen: Observed, filling: Filling) -> Chosen | Refusal | None:
    """How it would be cloned. None: not everything is known that decides. Raises ClaimNotValid."""
    clone = seen.clone or Cloned()
    refusal = _ill_matched(seen, clone)
    if refusal is not None:
        return refusal
    populator = filling if uses_populator(seen) else None
    sized = clone_size(seen)
    if isinstance(sized, Look):  # a pod would look; the disk is at most as large as its volume
        sized = Size(size_or_none(clone.claim.status.capacity.get("storage", "0")) or 0 if clone.claim else 0)
    body = claim_body(seen, populator, size=sized.size, inflates=sized.inflates)
    return _chosen(seen, clone, body, by_populator=populator is not None)


def _refusal(seen: Observed, clone: Cloned, body: dict[str, Any], *, by_populator: bool) -> Refusal | None:
    """What will not work on the claim as it is to be made. What is not known yet is no reason."""
    found = _chosen(seen, clone, body, by_populator=by_populator)
    return found if isinstance(found, Refusal) else None


def _chosen(seen: Observed, clone: Cloned, body: dict[str, Any], *, by_populator: bool) -> Chosen | Refusal | None:
    claim = msgspec.convert(body, PersistentVolumeClaim)
    source = _source_facts(seen, clone)
    is_open = "storage" not in claim.spec.resources.requests or claim.spec.volume_mode == FROM_PROFILE
    if source is None or seen.storage_class is None or is_open:
        return None
    target = claim_target(claim, seen.storage_class, clone.target_profile, seen.cluster)
    known = cluster_facts(clone.classes.values(), clone.snapshot_classes, by_populator=by_populator)
    return choose(source, target, known, wishes(claim.metadata.annotations, clone.target_profile, seen.cluster))


def _source_facts(seen: Observed, clone: Cloned) -> Source | None:
    if clone.claim is not None:
        return claim_source(clone.claim, clone.volume, clone.classes, clone.profile, seen.cluster)
    if clone.snapshot is not None and clone.content is not None:
        return snapshot_source(clone.snapshot, clone.content)
    return None


def _refused(refusal: Refusal) -> Plan:
    fault = Fault(refusal.code, contract=VALIDATION.rstrip(), detail=refusal.text)
    hold = Hold("CloneValidationFailed", refusal.message, None, fault=fault, clone=clone_of(refusal))
    told = [Emit("Warning", "CloneValidationFailed", refusal.message)]
    if any(code == "CloneTargetTooSmall" for code in (refusal.code, *(item.code for item in refusal.rejected))):
        told.append(Emit("Warning", "ErrIncompatiblePVC", refusal.text))
    return Plan(tuple(told), hold)


def _waiting(reason: str, text: str, phase: str | None, fault: Fault) -> Plan:
    return Plan((Emit("Warning", reason, text),), Hold(reason, text, phase, fault=fault))


# --- how large it is ------------------------------------------------------------------------------------------------


def _sized(seen: Observed, origin: Origin) -> Size | Plan:
    """Raises ClaimNotValid."""
    clone = seen.clone or Cloned()
    rendered_elsewhere = seen.volume.metadata.labels.get(a.APPLY_PROFILE) == "true" and seen.cluster.webhook_rendering
    found = Size() if rendered_elsewhere else clone_size(seen)
    if not isinstance(found, Look) or clone.claim is None:
        return found if isinstance(found, Size) else Size()
    return _looked(seen, clone, clone.claim, origin)


def _looked(seen: Observed, clone: Cloned, source: PersistentVolumeClaim, origin: Origin) -> Plan:
    in_use = [
        Emit("Warning", "CloneSourceInUse", f"pod {pod} using PersistentVolumeClaim {source.metadata.name}")
        for pod in clone.users
    ]
    hold = Hold("CloneScheduled", _scheduled(seen, origin), Phase.CLONE_SCHEDULED)
    pod = clone.detection
    if pod is None:
        if not clone.is_populated:
            text = f"The source pvc {origin.name} is not populated yet"
            return Plan((*in_use, Emit("Normal", "ImportPVCNotReady", text)), hold)
        made = Emit("Normal", "SizeDetectionPodCreated", f"Size-detection pod {detection.name_of(source)} created")
        looks = CreateDetection(detection.detection_pod(seen, source))
        return Plan((*in_use, looks, made), hold)
    if pod.metadata.deletion_timestamp:
        return Plan(tuple(in_use), hold)
    seen_by_pod = detection.outcome(pod)
    gone = _pod_gone(pod)
    match seen_by_pod.state:
        case detection.State.RUNS:
            text = f"Size-detection pod {pod.metadata.name} is not ready"
            return Plan((*in_use, Emit("Normal", "SizeDetectionPodNotReady", text)), hold)
        case detection.State.DONE:
            kept = {a.VIRTUAL_SIZE: str(seen_by_pod.size), a.SOURCE_CAPACITY: source.status.capacity.get("storage", "")}
            return Plan((AnnotateSource(source, kept), gone), hold)
    text = f"Size-detection pod failed due to {seen_by_pod.reason}"
    fault = Fault("CloneSizeUnknown", contract=text, source=str(origin))
    hold = Hold("CloneScheduled", text, Phase.CLONE_SCHEDULED, fault=fault)
    return Plan((Emit("Warning", seen_by_pod.reason, text), gone), hold, wait=_LOOK_AGAIN_S)


def _pod_gone(pod: Pod) -> DeletePod:
    return DeletePod(pod.metadata.name, pod.metadata.namespace, pod.metadata.uid)


# --- there is a claim -----------------------------------------------------------------------------------------------


def kept(seen: Observed, claim: PersistentVolumeClaim, filling: Filling) -> list[Action]:
    """``claim``: made for this DataVolume."""
    clone = seen.clone or Cloned()
    actions: list[Action] = []
    said = claim.metadata.annotations.get(a.CLONE_TYPE)
    if said is not None and seen.volume.metadata.annotations.get(a.CLONE_TYPE) != said:
        actions.append(AnnotateVolume({a.CLONE_TYPE: said}))
    if seen.volume.status.phase == Phase.SUCCEEDED and claim.status.phase == "Bound":
        return actions + _over(seen, clone)
    return actions + _going_on(seen, clone, claim, filling)


def _going_on(seen: Observed, clone: Cloned, claim: PersistentVolumeClaim, filling: Filling) -> list[Action]:
    origin, metadata = clone.origin, claim.metadata
    if origin is None or not clone.is_permitted:
        return []
    actions: list[Action] = []
    if origin.namespace != metadata.namespace and not clone.claim_is_lasting:
        actions.append(VouchClaim(claim, origin.permit(metadata.namespace, metadata.name, metadata.uid)))
    place = metadata.annotations.get(a.DATA_SOURCE_NAMESPACE, metadata.namespace)
    is_missing = place == origin.namespace and _source_at(clone, place) is None
    if claim.spec.data_source_ref is not None and is_missing:
        actions.append(CreateSource(_source_body(seen, origin, filling)))
    return actions


def _over(seen: Observed, clone: Cloned) -> list[Action]:
    gone = [parted(item) for item in clone.sources]
    others = tuple(name for name in seen.volume.metadata.finalizers if name != FINALIZER)
    is_bare = len(others) == len(seen.volume.metadata.finalizers)
    return [*gone, *([] if is_bare else [SetFinalizers(others)])]


def parted(source: VolumeCloneSource) -> DeleteSource:
    metadata = source.metadata
    return DeleteSource(source.kind, metadata.name, metadata.uid, metadata.namespace)


def _source_at(clone: Cloned, namespace: str) -> VolumeCloneSource | None:
    return next((item for item in clone.sources if item.metadata.namespace == namespace), None)


def _source_body(seen: Observed, origin: Origin, filling: Filling) -> dict[str, Any]:
    """Across namespaces no owner can be named: an annotation says whose it is, and the name has the uid."""
    spec = seen.volume.spec
    metadata: dict[str, Any] = {"name": filling.source_name(seen.uid), "namespace": origin.namespace}
    if origin.namespace == seen.volume.metadata.namespace:
        metadata["ownerReferences"] = [owner_of(seen)]
    else:
        metadata["annotations"] = {a.OWNED_BY_VOLUME: _place(seen)}
    kind = "VolumeSnapshot" if origin.is_snapshot else "PersistentVolumeClaim"
    named = {"kind": kind, "name": origin.name} | ({"apiGroup": SNAPSHOT_GROUP} if origin.is_snapshot else {})
    asked: dict[str, Any] = {"source": named, "preallocation": wants_preallocation(seen)}
    if spec.priority_class_name:
        asked["priorityClassName"] = spec.priority_class_name
    return {"apiVersion": f"{GROUP}/v1beta1", "kind": filling.source_kind, "metadata": metadata, "spec": asked}


def is_own(source: VolumeCloneSource, uid: str, place: str) -> bool:
    """``uid`` and ``place``, namespace/name: of the DataVolume. The name of ``source`` has been looked for."""
    if source.metadata.controller_uid:
        return source.metadata.controller_uid == uid
    return source.metadata.annotations.get(a.OWNED_BY_VOLUME) == place


def _scheduled(seen: Observed, origin: Origin) -> str:
    return f"Cloning from {origin} into {_place(seen)} scheduled"


def _place(seen: Observed) -> str:
    return f"{seen.volume.metadata.namespace}/{seen.volume.metadata.name}"
