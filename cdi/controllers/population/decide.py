"""What to do about a claim that is to be populated. Pure: no client, no clock.

                 populators' way                                direct way
    claim        --(class serves, consumer known)--> PVC'       claim
    worker       made when its claim is bound, or when it is itself the consumer that the class waits for
                 FAILED: stays, the kubelet starts it again;  LOST: replaced;  of other parameters: replaced
                 NEEDS_SCRATCH: replaced by one with a scratch claim
                 FATAL: outputs say so, the pod goes, nothing more until the parameters change
    SUCCEEDED    outputs first, then the pod goes, then --(rebind)--> target bound, PVC' Lost, PVC' goes

Every result is written to the claim before the pod that carries it goes: whoever dies in between finds one of the two.
"""

from __future__ import annotations

from dataclasses import replace

from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.claims.binding import awaits_consumer, is_bound, is_prime_of, obstacle
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning.between_pods import copied, parted
from cdi.controllers.population.cloning.flow import cloned
from cdi.controllers.population.cloning.seen import Cloning
from cdi.controllers.population.handover import annotated, passed_on, rebound, why_unbound
from cdi.controllers.population.kind import Case, Kind
from cdi.controllers.population.kinds import kind_of_worker
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    Create,
    DeleteClaim,
    Emit,
    Plan,
    Role,
    Wanted,
    ref,
)
from cdi.controllers.population.prime import prime_claim
from cdi.controllers.population.step import Step
from cdi.controllers.population.way import Way, kind_of, way_of
from cdi.controllers.population.work import companions_gone, seldom, work_on, worker_gone
from cdi.kube.resources import CLAIMS
from cdi.kube.storage import PersistentVolumeClaim

_LOOK_AT_EVENTS_S = 10.0  # why a claim is not bound is told by events, which nobody watches


def decide(seen: Observed) -> Plan:
    plan = _decided(seen)
    return replace(plan, actions=(*_strays_stopped(seen), *plan.actions))


def _decided(seen: Observed) -> Plan:
    target = seen.target
    if target is not None and seen.clone is not None and (plan := _cloned(seen, target, seen.clone)):
        return plan
    if target is None or target.metadata.deletion_timestamp:
        return Plan(tuple(_stopped(seen)))
    kind = kind_of(target)
    match way_of(target):
        case Way.DIRECT if kind is not None:
            return _direct(seen, target, kind)
        case Way.POPULATOR if kind is not None:
            return _populated(seen, target, kind)
        case _:
            return Plan(tuple(_unasked(seen, target)))


def _cloned(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan | None:
    way, metadata = way_of(target), target.metadata
    if way is Way.CLONE:
        return cloned(seen, target, clone)
    if way is Way.DIRECT and a.CLONE_REQUEST in metadata.annotations:
        return copied(seen, target, clone)
    is_left = a.SOURCE_FINALIZER in metadata.finalizers and a.OWN_CLONE_MARK in metadata.annotations
    return Plan(tuple(parted(seen, target))) if is_left else None


def _stopped(seen: Observed) -> list[Action]:
    """A claim in deletion stays until no pod uses it, and the garbage collector takes the pod only after the claim."""
    return [*worker_gone(seen.pod)]


def _strays_stopped(seen: Observed) -> list[Action]:
    """While it runs, what it works on stays too, and its volume. One that has ended keeps nothing."""
    return [
        action for pod in seen.strays if pod.status.phase not in ("Succeeded", "Failed") for action in worker_gone(pod)
    ]


def _unasked(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    """A worker that waits for people ends when they do not ask for it any more. Others end by themselves."""
    kind = kind_of_worker(seen.pod) if seen.pod is not None else None
    if kind is None or not kind.habits.stops_unasked or a.POPULATOR_KIND in target.metadata.annotations:
        return []
    return [*companions_gone(kind, seen, target), *worker_gone(seen.pod)]


def _work(seen: Observed, claim: PersistentVolumeClaim, target: PersistentVolumeClaim, kind: Kind) -> Step:
    """On ``claim``, which asks for it in annotations."""
    before, asked = outputs.outputs_of(claim), kind.asked(claim.metadata.annotations)
    return Step(before) if asked is None else work_on(Case(seen, kind, asked, claim, target, before))


# --- direct way -----------------------------------------------------------------------------------------------------


def _direct(seen: Observed, target: PersistentVolumeClaim, kind: Kind) -> Plan:
    before = outputs.outputs_of(target)
    step = _work(seen, target, target, kind)
    after = outputs.without_bound(step.outputs) if is_bound(target) else step.outputs | why_unbound(seen)
    if step.scratch_is_awaited:
        after = after | outputs.bound("CreatingScratchSpace", "Creating scratch space")
    first = list(step.first)
    if after.get(a.POD_PHASE) == "Succeeded" and before.get(a.POD_PHASE) != "Succeeded":
        first.append(Emit(ref(target), "Normal", *kind.words.filled))
    return Plan((*first, *annotated(target, before, after), *step.then), _next_look(seen, target, step))


# --- populators' way ------------------------------------------------------------------------------------------------


def _populated(seen: Observed, target: PersistentVolumeClaim, kind: Kind) -> Plan:
    if seen.prime is not None and not is_prime_of(seen.prime, target):
        return _with_stranger(seen, target, seen.prime)
    if target.spec.volume_name:
        return Plan(tuple(_finished(seen, target)))
    before = outputs.outputs_of(target)
    prime = seen.prime
    if prime is None:
        return _begun(seen, target, kind)
    if prime.metadata.deletion_timestamp:
        return Plan(tuple(_stopped(seen)))
    request = _followed_source(seen, target, prime, kind)
    step = _work(seen, prime, target, kind)
    is_done = step.outputs.get(a.POD_PHASE) == "Succeeded"
    after = outputs.mirrored(before, step.outputs) | {a.PRIME: prime.metadata.name}
    if is_done and not kind.habits.names_prime_when_done:
        after.pop(a.PRIME)
    after |= _progress(seen, prime, kind, is_done=is_done)
    after |= why_unbound(seen)  # the newest of it stays until the target is bound (the contract)
    actions: list[Action] = [
        *step.first,
        *annotated(prime, outputs.outputs_of(prime), step.outputs | request),
        *passed_on(seen, target, prime, before),
        *_announced(target, kind, before, after),
        *annotated(target, before, after),
        *step.then,
        *(rebound(seen, target, prime) if is_done else ()),
    ]
    return Plan(tuple(actions), _next_look(seen, prime, step))


def _with_stranger(seen: Observed, target: PersistentVolumeClaim, stranger: PersistentVolumeClaim) -> Plan:
    """Somebody's claim has the name of PVC': what it says is not believed, and nothing is done to it."""
    if target.spec.volume_name:
        return Plan(tuple(_finished(replace(seen, prime=None, objects={}), target)))
    before, name = outputs.outputs_of(target), stranger.metadata.name
    text = (
        f"claim {name} is not ours, and to fill {target.metadata.name} needs a claim of that name. "
        f"Try: kubectl delete pvc {name} -n {stranger.metadata.namespace}"
    )
    told = [] if before.get(a.BOUND_MESSAGE) == text else [Emit(ref(target), "Warning", "ErrCreatingPVCPrime", text)]
    after = outputs.without_attempt(before) | outputs.bound("ErrCreatingPVCPrime", text)
    after.pop(a.PRIME, None)  # that would say that the claim of that name is ours
    return Plan((*told, *annotated(target, before, after)), seldom(_LOOK_AT_EVENTS_S, seen.unbound_s))


def _begun(seen: Observed, target: PersistentVolumeClaim, kind: Kind) -> Plan:
    """No PVC' yet, or it was taken away before its volume was handed over: what it had reached is gone with it."""
    before = outputs.outputs_of(target)
    fresh = outputs.without_attempt(before)
    hindrance = obstacle(target, seen.storage_class)
    if hindrance:
        return Plan(tuple(annotated(target, before, fresh | outputs.bound("Pending", hindrance))))
    if awaits_consumer(target, seen.storage_class):
        return Plan(tuple(annotated(target, before, fresh)))
    request = _request(seen, target, kind)
    if request is None:
        return Plan()
    if kind.asked(request) is None:
        nobody = outputs.running(False, "Error", "this source is accepted, but not acted on by this version")
        return Plan(tuple(annotated(target, before, fresh | nobody)))
    wanted = Wanted(Role.PRIME, CLAIMS, prime_claim(target, kind.source_kind, request, seen.settings))
    create = Create(wanted, ref(target), outputs.prime_refused, (outputs.told(target),), unchanged=ref(target))
    created = Emit(ref(target), "Normal", "CreatedPVCPrimeSuccessfully", "PVC Prime created successfully")
    after = fresh | {a.PRIME: names.prime(target.metadata.uid)}
    return Plan((create, created, *annotated(target, before, after)))


def _request(seen: Observed, target: PersistentVolumeClaim, kind: Kind) -> Outputs | None:
    """What the source object asks for, as annotations; None while there is no object that serves this claim."""
    return None if seen.source is None else kind.request(seen.source, target, seen.cluster)


def _followed_source(
    seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim, kind: Kind
) -> Outputs:
    """The request on PVC' follows its source object."""
    request = _request(seen, target, kind)
    if request is None or prime.metadata.annotations.get(a.POD_PHASE) == "Succeeded":
        return {}
    return kind.followed(prime.metadata.annotations, request)


def _progress(seen: Observed, prime: PersistentVolumeClaim, kind: Kind, *, is_done: bool) -> Outputs:
    if not kind.habits.tells_progress:
        return {}
    if is_done:
        return {a.PROGRESS: "100.0%"}
    if seen.percent is not None:
        return {a.PROGRESS: f"{min(seen.percent, 99.99):.2f}%"}
    return {a.PROGRESS: "N/A"} if is_bound(prime) and seen.pod is None else {}


def _announced(target: PersistentVolumeClaim, kind: Kind, before: Outputs, after: Outputs) -> list[Action]:
    phase = after.get(a.POD_PHASE)
    told = {"Succeeded": ("Normal", kind.words.populated), "Failed": ("Warning", kind.words.failed)}
    if phase == before.get(a.POD_PHASE) or phase not in told:
        return []
    severity, (reason, text) = told[phase]
    return [Emit(ref(target), severity, reason, text.format(name=target.metadata.name))]


def _finished(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    """The target has its volume. What is left is PVC', which lost its own."""
    before = outputs.outputs_of(target)
    actions = annotated(target, before, outputs.without_bound(before)) if is_bound(target) else []
    prime = seen.prime
    if prime is None or prime.metadata.deletion_timestamp or not is_bound(target):
        return [*actions, *(_stopped(seen) if prime is not None and prime.metadata.deletion_timestamp else [])]
    if prime.metadata.annotations.get(a.RETAIN) != "true":
        return [*actions, *_stopped(seen), DeleteClaim(ref(prime))]
    if a.OWN_RETAINED in prime.metadata.annotations:
        return actions
    text = "PVC Prime retained in Lost state for debugging purposes"
    kept = outputs.outputs_of(prime)
    marked = annotated(prime, kept, kept | {a.OWN_RETAINED: "true"})
    return [*actions, Emit(ref(target), "Warning", "RetainedPVCPrime", text), *marked]


# --- both -----------------------------------------------------------------------------------------------------------


def _next_look(seen: Observed, claim: PersistentVolumeClaim, step: Step) -> float | None:
    waits = [step.wait] if step.wait is not None else []
    if claim.status.phase == "Pending" and not awaits_consumer(claim, seen.storage_class):
        waits.append(seldom(_LOOK_AT_EVENTS_S, seen.unbound_s))
    return min(waits, default=None)
