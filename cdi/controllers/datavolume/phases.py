"""The phase of a DataVolume, read off its claim, and what is announced when it changes. Pure.

PVC missing                     Pending at first, then as it was
PVC Pending, class waits        PendingPopulation (populator, ours or not), WaitForFirstConsumer (direct way)
worker not started, or failed to start          ImportScheduled
worker runs, or is started again by the kubelet ImportInProgress
worker gave up for good         Failed
a clone                         by the phase of its plan, which the claim says
worker succeeded                Succeeded, also when the claim is bound a moment later
nothing to do for a worker      Succeeded
Succeeded, and PVC still bound  Succeeded
PVC Lost                        Failed
"""

from __future__ import annotations

from cdi.api.phase import Phase
from cdi.contract import annotations as a
from cdi.controllers.claims.binding import awaits_consumer, waits_for_consumer
from cdi.controllers.claims.finished import names_clone_source, stays_succeeded, was_populated_elsewhere
from cdi.controllers.datavolume.belonging import needs_work
from cdi.controllers.datavolume.external import external_obstacle
from cdi.controllers.datavolume.filling import Work, filling_of
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.datavolume.plan import Emit
from cdi.kube.storage import PersistentVolumeClaim


def phase_of(seen: Observed) -> str:
    before, claim = seen.volume.status.phase, seen.claim
    if claim is None:
        known = before and a.PRE_POPULATED not in seen.volume.metadata.annotations
        return before if known else Phase.PENDING
    if claim.metadata.deletion_timestamp or not _is_ours(seen, claim):
        return before or Phase.PENDING
    if claim.status.phase == "Lost":
        return Phase.FAILED
    return _of_claim(seen, claim, before)


def _of_claim(seen: Observed, claim: PersistentVolumeClaim, before: str) -> str:
    if stays_succeeded(seen.volume, claim):
        return Phase.SUCCEEDED
    if a.VOLUME_LIST in claim.metadata.annotations:
        return Phase.PENDING
    operation, _ = operation_of(seen.volume)
    if operation is Operation.EXTERNAL:
        return _external(seen, claim, before)
    if not needs_work(seen, claim):
        return Phase.SUCCEEDED
    return _filled(seen, claim, before)


def _filled(seen: Observed, claim: PersistentVolumeClaim, before: str) -> str:
    work, is_clone = seen.work, operation_of(seen.volume)[0] is Operation.CLONE
    if is_clone and (names_clone_source(claim) or was_populated_elsewhere(claim)):
        return _cloned(seen, claim, before)
    if work is None:
        return _elsewhere(claim, before)
    return _unbound(seen, claim, work) if claim.status.phase != "Bound" else _worked_on(claim, work)


def _is_ours(seen: Observed, claim: PersistentVolumeClaim) -> bool:
    controller = claim.metadata.controller_uid
    return controller == seen.uid or (not controller and not needs_work(seen, claim))


def _external(seen: Observed, claim: PersistentVolumeClaim, before: str) -> str:
    if claim.status.phase != "Bound":
        # KubeVirt starts a VM only in a phase that says it may: in Pending, the VM and the volume wait for each other.
        waits = waits_for_consumer(seen.storage_class) and a.SELECTED_NODE not in claim.metadata.annotations
        return Phase.PENDING_POPULATION if waits else before or Phase.PENDING
    return Phase.PVC_BOUND if external_obstacle(seen, claim) else Phase.SUCCEEDED


def _elsewhere(claim: PersistentVolumeClaim, before: str) -> str:
    """Another version has begun it. What it has not finished stays where it was."""
    if was_populated_elsewhere(claim):
        return Phase.SUCCEEDED
    return before if before and before != Phase.SUCCEEDED else Phase.PENDING


_CLONE_PHASES = {
    "Snapshot": Phase.SNAPSHOT_FOR_SMART_CLONE_IN_PROGRESS,
    "SnapshotClone": Phase.CLONE_FROM_SNAPSHOT_SOURCE_IN_PROGRESS,
    "CSIClone": Phase.CSI_CLONE_IN_PROGRESS,
    "HostClone": Phase.CLONE_IN_PROGRESS,
    "PrepClaim": Phase.PREP_CLAIM_IN_PROGRESS,
    "Rebind": Phase.REBIND_IN_PROGRESS,
    "Succeeded": Phase.SUCCEEDED,
}


def _cloned(seen: Observed, claim: PersistentVolumeClaim, before: str) -> str:
    """Error keeps the phase: the next attempt may do better, and Failed would fail the VM that waits."""
    said = claim.metadata.annotations.get(a.CLONE_PHASE, "")
    if was_populated_elsewhere(claim):  # a claim that names its source is bound when all is done
        return Phase.SUCCEEDED
    if said == "Error":
        return before if before not in ("", Phase.PENDING) else Phase.CLONE_SCHEDULED
    if said in ("", "Pending") and awaits_consumer(claim, seen.storage_class):
        return Phase.PENDING_POPULATION
    return _CLONE_PHASES.get(said, Phase.CLONE_SCHEDULED)


def _unbound(seen: Observed, claim: PersistentVolumeClaim, work: Work) -> str:
    if a.POD_PHASE in claim.metadata.annotations:
        return _worked_on(claim, work)
    if claim.spec.data_source_ref is not None:
        if awaits_consumer(claim, seen.storage_class):
            return Phase.PENDING_POPULATION
        return work.scheduled if a.PRIME in claim.metadata.annotations else Phase.PENDING
    if seen.cluster.honors_consumers and waits_for_consumer(seen.storage_class):
        return Phase.WAIT_FOR_FIRST_CONSUMER
    return Phase.PENDING


def _worked_on(claim: PersistentVolumeClaim, work: Work) -> str:
    annotations = claim.metadata.annotations
    match annotations.get(a.POD_PHASE):
        case "Succeeded":
            return Phase.SUCCEEDED
        case "Running" if work.works(annotations):
            return work.working
        case "Failed" if annotations.get(a.FATAL) == "true":
            return Phase.FAILED
        case None if work.pod_name not in annotations and a.PRIME not in annotations:
            return Phase.PVC_BOUND
        case _:
            return work.scheduled


def announcement(seen: Observed, phase: str) -> Emit | None:
    """The event of a phase that is new."""
    if phase == seen.volume.status.phase or seen.claim is None:
        return None
    name = seen.claim.metadata.name
    annotations = seen.claim.metadata.annotations
    if seen.claim.status.phase == "Lost":
        return Emit("Warning", "ErrClaimLost", f"PVC {name} lost")
    operation, source = operation_of(seen.volume)
    if operation is Operation.EXTERNAL and phase == Phase.SUCCEEDED:
        text = f"PVC {name} successfully populated by {source}"
        return Emit("Normal", "ExternalPopulationSucceeded", text)
    filling = filling_of(seen.volume)
    if filling is None or (a.POD_PHASE not in annotations and operation is not Operation.CLONE):
        return None
    has_failed = phase == Phase.FAILED or (phase == filling.scheduled and annotations.get(a.POD_PHASE) == "Failed")
    told = filling.failed if has_failed else filling.events.get(Phase(phase))
    return Emit(told[0], told[1], told[2].format(name=name, **_words(seen))) if told is not None else None


def _words(seen: Observed) -> dict[str, str]:
    """Of a clone."""
    if seen.clone is None:
        return {}
    metadata, origin = seen.volume.metadata, seen.clone.origin
    kind = origin.kind if origin is not None else "pvc"
    return {"place": f"{metadata.namespace}/{metadata.name}", "source": seen.clone.word, "kind": kind}
