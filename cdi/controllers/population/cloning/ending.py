"""What was made for a clone goes: with a method that is given up, with success, or with the target. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.claims import clone_record
from cdi.controllers.claims.binding import is_bound
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning import words
from cdi.controllers.population.cloning.objects import Making
from cdi.controllers.population.cloning.steps import failed, others_than, pod_ended, worker_of
from cdi.controllers.population.handover import annotated
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    Delete,
    DeleteClaim,
    Emit,
    Plan,
    Role,
    ref,
)
from cdi.kube.objects import Object
from cdi.kube.resources import SNAPSHOTS
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles import clone as planning
from storageprofiles.clone import Refusal
from storageprofiles.clone_errors import final_error


def given_up(making: Making) -> Plan | None:
    """What the storage has said for good. Without another method it may go on trying: its claim stays."""
    seen, target, plan = making.seen, making.target, making.plan
    is_over = seen.prime is not None and seen.prime.status.phase != "Pending"
    said = None if is_over else _final(making)
    if said is None:
        return None
    following = planning.next_after(plan, plan.method, said)
    if isinstance(following, Refusal):
        return failed(target, planning.METHOD_FAILED, following.text)
    before = words.outputs_of(target)
    text = f"{plan.method} failed: {said}"
    after = words.in_phase(target, before, words.PENDING) | {
        a.CLONE_TYPE: str(following.method),
        a.CLONE_FALLBACK: text,
        a.OWN_CLONE_PLAN: clone_record.record(following),
    }
    emit = Emit(ref(target), "Warning", planning.METHOD_FAILED, f"{text}. Going on with {following.method}")
    return Plan((emit, *annotated(target, before, after), *_removed(seen)))


def _final(making: Making) -> str | None:
    clone, snapshot = making.clone, making.seen.snapshot
    complaint = clone.complaint
    if complaint is not None and complaint.reason == "ProvisioningFailed" and final_error(complaint.message):
        return complaint.message
    error = snapshot.status.error if snapshot is not None and snapshot.status is not None else None
    return error.message if error is not None and final_error(error.message) else None


def stale(seen: Observed, plan: planning.Plan) -> Plan | None:
    """What another method made must be gone before this one begins. Its going is seen."""
    made = [item.metadata.annotations.get(a.CLONE_TYPE) for item in _left(seen)]
    return None if all(method == plan.method for method in made) else Plan(tuple(_removed(seen)))


def _left(seen: Observed) -> list[Object]:
    found = (seen.objects.get(role) for role in (Role.PREPARATION, Role.RESTORED, Role.SNAPSHOT))
    return [item for item in (seen.prime, *found) if item is not None]


def finished(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    """The target has its volume. What was made goes, and with it the finalizer."""
    before = words.outputs_of(target)
    after = words.in_phase(target, before, words.SUCCEEDED)
    if not is_bound(target):
        return annotated(target, before, after)
    after = outputs.without_bound(after)
    if _is_retained(seen, target):
        text = "PVC Prime retained in Lost state for debugging purposes"
        is_news = a.CLONE_FINALIZER in target.metadata.finalizers
        emits = [Emit(ref(target), "Warning", "RetainedPVCPrime", text)] if is_news else []
        return [*emits, *_released(target, before, after)]
    left = _left(seen)
    return [*_removed(seen), *(annotated(target, before, after) if left else _released(target, before, after))]


def _is_retained(seen: Observed, target: PersistentVolumeClaim) -> bool:
    annotations = target.metadata.annotations
    return seen.prime is not None and annotations.get(a.RETAIN) == "true" and annotations.get(a.CLONE_TYPE) == "copy"


def let_go(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    before = words.outputs_of(target)
    return _removed(seen) if _left(seen) else _released(target, before, before)


def _released(target: PersistentVolumeClaim, before: Outputs, after: Outputs) -> list[Action]:
    if a.CLONE_FINALIZER not in target.metadata.finalizers:
        return annotated(target, before, after)
    return [Annotate(ref(target), before, after, others_than(a.CLONE_FINALIZER, target.metadata))]


def _removed(seen: Observed) -> list[Action]:
    """Pods first: claims stay as long as pods use them."""
    claims = [item for item in (seen.prime, seen.restored) if item is not None]
    pods = [item for item in (worker_of(seen, seen.prime), seen.preparation) if item is not None]
    actions: list[Action] = [*(delete for pod in pods for delete in pod_ended(pod))]
    actions += [DeleteClaim(ref(claim)) for claim in claims if not claim.metadata.deletion_timestamp]
    if seen.snapshot is not None and not seen.snapshot.metadata.deletion_timestamp:
        metadata = seen.snapshot.metadata
        actions.append(Delete(SNAPSHOTS, metadata.namespace, metadata.name, metadata.uid))
    return actions
