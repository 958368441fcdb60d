"""What to do about a claim that is to be cloned. Pure.

waiting     class, consumer, source object, permission, source, its data, nobody who writes to it
planned     the method with all reasons is on the claim before anything is made
csi-clone   temporary claim from the source claim            -> prepared -> rebound
snapshot    temporary snapshot -> temporary claim            -> prepared -> rebound
copy        [snapshot -> restored claim ->] temporary claim, empty, and a pod that copies -> rebound
given up    a method whose error is final: what it made goes, and is gone, before the next one begins
finished    the target has the volume: what was made goes, then the finalizer
"""

from __future__ import annotations

from cdi.api.populators import CLONE_KIND
from cdi.contract import annotations as a
from cdi.controllers.claims import clone_record
from cdi.controllers.claims.binding import awaits_consumer, is_bound, obstacle
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning import words
from cdi.controllers.population.cloning.by_pod import by_pod
from cdi.controllers.population.cloning.by_storage import by_storage
from cdi.controllers.population.cloning.ending import finished, let_go, stale
from cdi.controllers.population.cloning.names import is_mark
from cdi.controllers.population.cloning.objects import Making
from cdi.controllers.population.cloning.seen import Cloning, mark_of
from cdi.controllers.population.cloning.steps import failed, sound_mark, still, told, worker_of
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    Emit,
    Plan,
    ref,
)
from cdi.kube.resources import SNAPSHOTS
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles import clone as planning
from storageprofiles.clone import Facts, Refusal
from storageprofiles.clone_facts import Method, Source, Target


def cloned(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan:
    if target.metadata.deletion_timestamp:
        return Plan(tuple(let_go(seen, target)))
    if target.spec.volume_name:
        return Plan(tuple(finished(seen, target)))
    if going_on := _going_on(seen, target, clone):
        return going_on
    return _hindered(seen, target) or _without(seen, target, clone) or _begun(seen, target, clone)


def _going_on(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan | None:
    """What has all that it needs is brought to its end by the plan on the claim, whatever became of the source."""
    prime = seen.prime
    if clone.facts is not None or prime is None or prime.metadata.deletion_timestamp:
        return None
    recorded = clone_record.recorded(target.metadata.annotations.get(a.OWN_CLONE_PLAN, ""))
    if recorded is None:
        return None
    method = Method(recorded.method)
    copies = worker_of(seen, prime) is not None or prime.metadata.annotations.get(a.POD_PHASE) == "Succeeded"
    if not (copies if method is Method.COPY else is_bound(prime)):
        return None
    source = Source(
        namespace=clone.namespace, name=clone.source_name, driver="", volume_mode="", requested=0, capacity=0
    )
    wanted = Target(namespace="", name="", storage_class="", driver="", volume_mode="", size=0)
    plan = planning.Plan(method=method, restore_class=recorded.restore_class, facts=Facts(source, wanted))
    return _performed(Making(seen, target, clone, plan))


def _begun(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan:
    assert clone.facts is not None  # it is what is waited for last
    facts = clone.facts
    plan = planning.choose(facts.source, facts.target, facts.cluster, facts.wishes)
    if isinstance(plan, Refusal):
        return _refused(target, plan)
    if not _is_recorded(target, plan):
        return _planned(target, clone, plan)
    return stale(seen, plan) or _performed(Making(seen, target, clone, plan))


def _performed(making: Making) -> Plan:
    return by_pod(making) if making.plan.method is Method.COPY else by_storage(making)


# --- before anything is made ----------------------------------------------------------------------------------------


def _hindered(seen: Observed, target: PersistentVolumeClaim) -> Plan | None:
    hindrance = obstacle(target, seen.storage_class)
    if hindrance:
        return still(target, words.PENDING, outputs.bound("Pending", hindrance))
    return still(target, words.PENDING) if awaits_consumer(target, seen.storage_class) else None


def _without(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan | None:
    """None: nothing is missing."""
    if seen.source is None:
        name = target.spec.data_source_ref.name if target.spec.data_source_ref else ""
        text = f"there is no {CLONE_KIND} {clone.namespace}/{name}"
        return still(target, words.PENDING, outputs.bound("Pending", text))
    if clone.refusal:
        return failed(target, "CloneNotPermitted", clone.refusal)
    if clone.claim is None and clone.snapshot is None:
        text = f"The source {_word(clone)} {clone.source_name} doesn't exist"
        return told(target, "CloneWithoutSource", text)
    if clone.facts is None:
        return still(target, words.PENDING, outputs.bound("Pending", clone.missing))
    return None


def _word(clone: Cloning) -> str:
    return "snapshot" if clone.source_kind == SNAPSHOTS.kind else "pvc"


def _refused(target: PersistentVolumeClaim, refusal: Refusal) -> Plan:
    detail = Emit(ref(target), "Warning", "ErrIncompatiblePVC", refusal.text)
    return failed(target, "CloneValidationFailed", refusal.message, detail)


def _is_recorded(target: PersistentVolumeClaim, plan: planning.Plan) -> bool:
    found = clone_record.recorded(target.metadata.annotations.get(a.OWN_CLONE_PLAN, ""))
    is_kept = a.CLONE_FINALIZER in target.metadata.finalizers and is_mark(mark_of(target.metadata))
    return is_kept and found is not None and found.method == plan.method


def _planned(target: PersistentVolumeClaim, clone: Cloning, plan: planning.Plan) -> Plan:
    before = words.outputs_of(target)
    after = words.in_phase(target, before, words.PENDING) | {
        a.CLONE_TYPE: str(plan.method),
        a.OWN_CLONE_PLAN: clone_record.record(plan),
        a.OWN_CLONE_MARK: sound_mark(target, clone),
    }
    told = list[Action]()
    if plan.fallback is not None:
        after[a.CLONE_FALLBACK] = plan.fallback.message
        told.append(Emit(ref(target), "Warning", plan.fallback.reason, plan.fallback.message))
    if plan.snapshot_class is not None:
        text = f"{plan.snapshot_class.how} {plan.snapshot_class.name}"
        told.append(Emit(ref(target), "Normal", "VolumeSnapshotClassSelected", text))
    kept = target.metadata.finalizers
    finalizers = tuple(kept if a.CLONE_FINALIZER in kept else (*kept, a.CLONE_FINALIZER))
    return Plan((*told, Annotate(ref(target), before, after, finalizers)))
