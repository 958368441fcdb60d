"""A clone that a pod makes, which has both claims. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.controllers.claims.binding import is_bound, waits_for_consumer
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning import objects, words
from cdi.controllers.population.cloning.objects import Making
from cdi.controllers.population.cloning.steps import (
    LOOK_AT_EVENTS_S,
    busy,
    case_of,
    made,
    restored_size,
    underway,
)
from cdi.controllers.population.handover import annotated, passed_on, rebound, why_unbound
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.plan import (
    Action,
    Plan,
)
from cdi.controllers.population.step import Step
from cdi.controllers.population.work import seldom, work_on
from cdi.kube.storage import PersistentVolumeClaim


def by_pod(making: Making) -> Plan:
    seen, target, prime = making.seen, making.target, making.seen.prime
    is_begun = prime is not None and (seen.pod is not None or _is_copied(prime))
    if not is_begun and (waiting := _restored(making) or busy(making)):
        return waiting
    if prime is None:
        return made(making, words.HOST_CLONE, objects.empty_claim(making))
    if prime.metadata.deletion_timestamp:
        return Plan()
    step = work_on(case_of(making, prime))
    before = words.outputs_of(target)
    is_done = step.outputs.get(a.POD_PHASE) == "Succeeded"
    after = words.copying(target, before, step.outputs, seen.percent)
    if is_done:
        after = words.in_phase(target, after, words.REBIND)
    actions: list[Action] = [
        *step.first,
        *annotated(prime, outputs.outputs_of(prime), step.outputs),
        *passed_on(seen, target, prime, before),
        *annotated(target, before, after | why_unbound(seen)),
        *step.then,
        *(rebound(seen, target, prime) if is_done else ()),
    ]
    return Plan(tuple(actions), _next_look(seen, prime, step))


def _is_copied(prime: PersistentVolumeClaim) -> bool:
    return prime.metadata.annotations.get(a.POD_PHASE) == "Succeeded"


def _restored(making: Making) -> Plan | None:
    """A snapshot is copied from a claim that it was restored to. None: there is one, or none is needed."""
    clone, plan = making.clone, making.plan
    if not plan.restore_class:
        return None
    found = making.seen.restored
    if found is None:
        status = clone.snapshot.status if clone.snapshot is not None else None
        if status is None or status.ready_to_use is not True:
            return underway(making, words.SNAPSHOT_CLONE)
        wanted = objects.restored_claim(making, restored_size(making, status.restore_size))
        return made(making, words.SNAPSHOT_CLONE, wanted)
    restoring = next((item for item in plan.facts.cluster.classes if item.name == plan.restore_class), None)
    if is_bound(found) or (restoring is not None and restoring.waits_for_consumer):
        return None  # the pod that copies is the consumer
    return underway(making, words.SNAPSHOT_CLONE)


def _next_look(seen: Observed, prime: PersistentVolumeClaim, step: Step) -> float | None:
    waits = [step.wait] if step.wait is not None else []
    if prime.status.phase == "Pending" and not waits_for_consumer(seen.storage_class):
        waits.append(seldom(LOOK_AT_EVENTS_S, seen.unbound_s))
    return min(waits, default=None)
