"""What to do about a claim that is to be populated by an import. Pure: no client, no clock.

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
from cdi.controllers.population import outputs
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    Annotate,
    ClaimRef,
    CreatePrime,
    DeleteClaim,
    DeleteWorker,
    Emit,
    Plan,
    Rebind,
)
from cdi.controllers.population.prime import prime_claim
from cdi.controllers.population.way import (
    IMPORT_SOURCE,
    Way,
    awaits_consumer,
    is_bound,
    is_prime_of,
    obstacle,
    way_of,
)
from cdi.controllers.population.work import Work, is_worker, seldom, work_on
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.request import asked_of, edited

_LOOK_AT_EVENTS_S = 10.0  # why a claim is not bound is told by events, which nobody watches


def decide(seen: Observed) -> Plan:
    plan = _decided(seen)
    return replace(plan, actions=(*_strays_stopped(seen), *plan.actions))


def _decided(seen: Observed) -> Plan:
    target = seen.target
    if target is None or target.metadata.deletion_timestamp:
        return Plan(tuple(_stopped(seen)))
    match way_of(target):
        case Way.NONE:
            return Plan()
        case Way.UNSERVED:
            text = "uploads and clones are accepted, but not acted on by this version"
            return Plan((Emit(ref(target), "Warning", "NotActedOn", text),))
        case Way.DIRECT:
            return _direct(seen, target)
        case Way.POPULATOR:
            return _populated(seen, target)


def ref(claim: PersistentVolumeClaim) -> ClaimRef:
    metadata = claim.metadata
    return ClaimRef(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)


def _stopped(seen: Observed) -> list[Action]:
    """A claim in deletion stays until no pod uses it, and the garbage collector takes the pod only after the claim."""
    return _deleted(seen.pod)


def _strays_stopped(seen: Observed) -> list[Action]:
    """While it runs, what it works on stays too, and its volume. One that has ended keeps nothing."""
    return [
        action for pod in seen.strays if pod.status.phase not in ("Succeeded", "Failed") for action in _deleted(pod)
    ]


def _deleted(pod: Pod | None) -> list[Action]:
    if pod is None or pod.metadata.deletion_timestamp or not is_worker(pod):
        return []
    return [DeleteWorker(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)]


# --- direct way -----------------------------------------------------------------------------------------------------


def _direct(seen: Observed, target: PersistentVolumeClaim) -> Plan:
    before = outputs.outputs_of(target)
    work = work_on(seen, target, target)
    after = outputs.without_bound(work.outputs) if is_bound(target) else work.outputs | _why_unbound(seen)
    if work.scratch_is_awaited:
        after = after | outputs.bound("CreatingScratchSpace", "Creating scratch space")
    first = list(work.first)
    if after.get(a.POD_PHASE) == "Succeeded" and before.get(a.POD_PHASE) != "Succeeded":
        first.append(Emit(ref(target), "Normal", "ImportSucceeded", "Import Successful"))
    return Plan((*first, *_annotated(target, before, after), *work.then), _next_look(seen, target, work))


# --- populators' way ------------------------------------------------------------------------------------------------


def _populated(seen: Observed, target: PersistentVolumeClaim) -> Plan:
    if seen.prime is not None and not is_prime_of(seen.prime, target):
        return _with_stranger(seen, target, seen.prime)
    if target.spec.volume_name:
        return Plan(tuple(_finished(seen, target)))
    before = outputs.outputs_of(target)
    prime = seen.prime
    if prime is None:
        return _begun(seen, target, before)
    if prime.metadata.deletion_timestamp:
        return Plan(tuple(_stopped(seen)))
    asked = _followed_source(seen, target, prime)
    work = work_on(seen, prime, target)
    kept = outputs.outputs_of(prime)
    after = outputs.mirrored(before, work.outputs) | {a.PRIME: prime.metadata.name}
    after |= _progress(seen, prime, work.outputs)
    after |= _why_unbound(seen)  # the newest of it stays until the target is bound (the contract)
    actions: list[Action] = [*work.first, *_annotated(prime, kept, work.outputs | asked)]
    actions += [
        *_passed_on(seen, target, prime, before),
        *_announced(target, before, after),
        *_annotated(target, before, after),
        *work.then,
    ]
    if work.outputs.get(a.POD_PHASE) == "Succeeded":
        actions += _rebound(seen, target, prime)
    return Plan(tuple(actions), _next_look(seen, prime, work))


def _with_stranger(seen: Observed, target: PersistentVolumeClaim, stranger: PersistentVolumeClaim) -> Plan:
    """Somebody's claim has the name of PVC': what it says is not believed, and nothing is done to it."""
    if target.spec.volume_name:
        return Plan(tuple(_finished(replace(seen, prime=None, pod=None), target)))
    before, name = outputs.outputs_of(target), stranger.metadata.name
    text = (
        f"claim {name} is not ours, and to fill {target.metadata.name} needs a claim of that name. "
        f"Try: kubectl delete pvc {name} -n {stranger.metadata.namespace}"
    )
    told = [] if before.get(a.BOUND_MESSAGE) == text else [Emit(ref(target), "Warning", "ErrCreatingPVCPrime", text)]
    after = outputs.without_attempt(before) | outputs.bound("ErrCreatingPVCPrime", text)
    after.pop(a.PRIME, None)  # that would say that the claim of that name is ours
    return Plan((*told, *_annotated(target, before, after)), seldom(_LOOK_AT_EVENTS_S, seen.unbound_s))


def _begun(seen: Observed, target: PersistentVolumeClaim, before: Outputs) -> Plan:
    """No PVC' yet, or it was taken away before its volume was handed over: what it had reached is gone with it."""
    fresh = outputs.without_attempt(before)
    hindrance = obstacle(target, seen.storage_class)
    if hindrance:
        return Plan(tuple(_annotated(target, before, fresh | outputs.bound("Pending", hindrance))))
    if awaits_consumer(target, seen.storage_class):
        return Plan(tuple(_annotated(target, before, fresh)))
    asked = _asked(seen, target)
    if asked is None:
        return Plan()
    if a.SOURCE not in asked:
        unserved = outputs.running(False, "Error", "this source is accepted, but not acted on by this version")
        return Plan(tuple(_annotated(target, before, fresh | unserved)))
    body = prime_claim(target, IMPORT_SOURCE, asked, seen.settings)
    created = Emit(ref(target), "Normal", "CreatedPVCPrimeSuccessfully", "PVC Prime created successfully")
    after = fresh | {a.PRIME: names.prime(target.metadata.uid)}
    return Plan((CreatePrime(body, ref(target), outputs.told(target)), created, *_annotated(target, before, after)))


def _asked(seen: Observed, target: PersistentVolumeClaim) -> dict[str, str] | None:
    """What the source object asks for, as annotations; None while there is no object that serves this claim."""
    if seen.source is None or seen.source.spec.target_claim not in (None, "", target.metadata.name):
        return None
    spec = seen.source.spec
    asked = asked_of(spec.source, target.metadata.annotations) if spec.source is not None else {}
    wanted = seen.cluster.preallocation if spec.preallocation is None else spec.preallocation
    return asked | {
        a.CONTENT_TYPE: "archive" if spec.content_type == "archive" else "kubevirt",
        a.PREALLOCATION_REQUESTED: "true" if wanted else "false",
    }


def _followed_source(seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim) -> Outputs:
    """The request on PVC' follows its source object, which may be corrected while the import is held."""
    asked = _asked(seen, target)
    if asked is None or prime.metadata.annotations.get(a.POD_PHASE) == "Succeeded":
        return {}
    return edited(prime.metadata.annotations, {key: value for key, value in asked.items() if a.S + "import" in key})


def _progress(seen: Observed, prime: PersistentVolumeClaim, after: Outputs) -> Outputs:
    if after.get(a.POD_PHASE) == "Succeeded":
        return {a.PROGRESS: "100.0%"}
    if seen.percent is not None:
        return {a.PROGRESS: f"{min(seen.percent, 99.99):.2f}%"}
    return {a.PROGRESS: "N/A"} if is_bound(prime) and seen.pod is None else {}


def _passed_on(
    seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim, before: Outputs
) -> list[Action]:
    """People look at the target, while its provisioner talks about PVC'."""
    event = seen.event
    if event is None or is_bound(prime) or before.get(a.BOUND_MESSAGE) == event.message:
        return []
    return [Emit(ref(target), event.type or "Normal", event.reason, f"[{prime.metadata.name}] : {event.message}")]


def _announced(target: PersistentVolumeClaim, before: Outputs, after: Outputs) -> list[Action]:
    name, phase = target.metadata.name, after.get(a.POD_PHASE)
    if phase == before.get(a.POD_PHASE):
        return []
    if phase == "Succeeded":
        return [Emit(ref(target), "Normal", "importSucceeded", f"Successfully imported into {name}")]
    if phase == "Failed":
        return [Emit(ref(target), "Warning", "importFailed", f"import into {name} failed")]
    return []


def _rebound(seen: Observed, target: PersistentVolumeClaim, prime: PersistentVolumeClaim) -> list[Action]:
    volume = seen.volume
    if volume is None or volume.spec.claim_ref is None:
        return []
    owner = volume.spec.claim_ref
    if owner.uid == target.metadata.uid:
        return []  # handed over: the cluster binds it now
    if owner.uid != prime.metadata.uid:
        # Whose it is stays unsaid: anybody may have written the name of another's volume into PVC'.
        text = f"PV {volume.metadata.name} is not bound to {prime.metadata.name}"
        return [Emit(ref(target), "Warning", "ErrRebind", text)]
    return [Rebind(volume.metadata.name, ref(prime), ref(target), volume.metadata.resource_version)]


def _finished(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    """The target has its volume. What is left is PVC', which lost its own."""
    before = outputs.outputs_of(target)
    actions = _annotated(target, before, outputs.without_bound(before)) if is_bound(target) else []
    prime = seen.prime
    if prime is None or prime.metadata.deletion_timestamp or not is_bound(target):
        return [*actions, *(_stopped(seen) if prime is not None and prime.metadata.deletion_timestamp else [])]
    if prime.metadata.annotations.get(a.RETAIN) != "true":
        return [*actions, *_stopped(seen), DeleteClaim(ref(prime))]
    if a.OWN_RETAINED in prime.metadata.annotations:
        return actions
    text = "PVC Prime retained in Lost state for debugging purposes"
    kept = outputs.outputs_of(prime)
    marked = _annotated(prime, kept, kept | {a.OWN_RETAINED: "true"})
    return [*actions, Emit(ref(target), "Warning", "RetainedPVCPrime", text), *marked]


# --- both -----------------------------------------------------------------------------------------------------------


def _annotated(claim: PersistentVolumeClaim, before: Outputs, after: Outputs) -> list[Action]:
    return [] if before == after else [Annotate(ref(claim), before, after)]


def _why_unbound(seen: Observed) -> Outputs:
    """What the newest event says; without one, what was said before stays."""
    return outputs.bound("Pending", seen.event.message) if seen.event else {}


def _next_look(seen: Observed, claim: PersistentVolumeClaim, work: Work) -> float | None:
    waits = [work.wait] if work.wait is not None else []
    if claim.status.phase == "Pending" and not awaits_consumer(claim, seen.storage_class):
        waits.append(seldom(_LOOK_AT_EVENTS_S, seen.unbound_s))
    return min(waits, default=None)
