"""One step of a clone: something is made or waited for, and the target says which phase that is. Pure."""

from __future__ import annotations

from cdi.base.units import size_or_none
from cdi.contract import annotations as a
from cdi.controllers.claims.binding import is_bound
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning import words
from cdi.controllers.population.cloning.names import is_mark
from cdi.controllers.population.cloning.objects import Making
from cdi.controllers.population.cloning.seen import Cloning, mark_of
from cdi.controllers.population.handover import annotated, passed_on, why_unbound
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.copying.kind import Copying, CopyRequest
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    Create,
    Delete,
    Emit,
    Plan,
    Wanted,
    ref,
)
from cdi.controllers.population.work import seldom
from cdi.kube.objects import Metadata, Object
from cdi.kube.pods import Pod
from cdi.kube.resources import PODS
from cdi.kube.storage import PersistentVolumeClaim

LOOK_AGAIN_S = 60.0  # at what people have to mend, whose change nobody may tell
LOOK_AT_EVENTS_S = 2.0  # at first: a method that the storage refuses is given up soon
_COPYING = Copying()


def busy(making: Making) -> Plan | None:
    """The source claim cannot be read yet, or not without being changed meanwhile."""
    if making.plan.facts.source.is_snapshot:
        return None
    if making.clone.claim is None:
        return gone(making)
    why = why_busy(making.clone)
    return told(making.target, *why) if why is not None else None


def why_busy(clone: Cloning) -> tuple[str, str] | None:
    """Reason and text; None: the source claim may be read now."""
    name = clone.source_name
    if clone.claim is None or not is_bound(clone.claim):
        return "CloneSourceNotReady", f"The source pvc {name} is not bound"
    if not clone.is_filled:
        return "CloneSourceNotReady", f"The source pvc {name} is being populated"
    if clone.writers:
        return "CloneSourceInUse", f"pod {clone.namespace}/{clone.writers[0]} using PersistentVolumeClaim {name}"
    return None


def gone(making: Making) -> Plan:
    return told(making.target, "CloneWithoutSource", f"The source pvc {making.clone.source_name} doesn't exist")


def made(making: Making, phase: str, wanted: Wanted) -> Plan:
    """The outputs come after it: what is refused must not look like a new start, again and again."""
    target = making.target
    create = Create(
        wanted,
        ref(target),
        lambda cause: words.refused(target, cause),
        (outputs.told(target),),
        unchanged=ref(target),
    )
    return Plan((create, *then(making, phase).actions))


def underway(making: Making, phase: str) -> Plan:
    return Plan(then(making, phase).actions, seldom(LOOK_AT_EVENTS_S, making.seen.unbound_s))


def then(making: Making, phase: str, *actions: Action) -> Plan:
    seen, target = making.seen, making.target
    before = words.outputs_of(target)
    after = words.in_phase(target, before, phase) | why_unbound(seen)
    told = passed_on(seen, target, seen.prime, before) if seen.prime is not None else []
    return Plan((*told, *annotated(target, before, after), *actions))


def still(target: PersistentVolumeClaim, phase: str, more: Outputs | None = None) -> Plan:
    before = words.outputs_of(target)
    actions = annotated(target, before, words.in_phase(target, before, phase) | (more or {}))
    return Plan(tuple(actions), LOOK_AGAIN_S if more else None)


def told(target: PersistentVolumeClaim, reason: str, text: str) -> Plan:
    """It waits for what ``text`` says, whose change is seen."""
    emit = Emit(ref(target), "Warning", reason, text)
    return Plan((emit, *still(target, words.PENDING, outputs.bound(reason, text)).actions), LOOK_AGAIN_S)


def failed(target: PersistentVolumeClaim, reason: str, text: str, *details: Emit) -> Plan:
    before = words.outputs_of(target)
    is_news = before.get(a.CLONE_ERROR) != text
    told = (*details, Emit(ref(target), "Warning", reason, text)) if is_news else ()
    return Plan((*told, *annotated(target, before, words.failed(target, before, text))), LOOK_AGAIN_S)


def case_of(making: Making, prime: PersistentVolumeClaim) -> Case:
    asked = _COPYING.asked(prime.metadata.annotations) or CopyRequest()
    return Case(making.seen, _COPYING, asked, prime, making.target, outputs.outputs_of(prime))


def restored_size(making: Making, restore_size: str | None) -> str:
    """What the storage says, unless it says nothing."""
    asked = making.target.spec.resources.requests.get("storage", "")
    return restore_size if restore_size and size_or_none(restore_size) else asked


def pod_ended(pod: Object) -> list[Action]:
    metadata = pod.metadata
    return [] if metadata.deletion_timestamp else [Delete(PODS, metadata.namespace, metadata.name, metadata.uid)]


def others_than(finalizer: str, metadata: Metadata) -> tuple[str, ...]:
    """The finalizers without this one."""
    return tuple(item for item in metadata.finalizers if item != finalizer)


def worker_of(seen: Observed, claim: PersistentVolumeClaim | None) -> Pod | None:
    """The worker, if it is that of ``claim``: anybody may have called a pod so."""
    pod = seen.pod
    is_its = pod is not None and claim is not None and pod.metadata.controller_uid == claim.metadata.uid
    return pod if is_its else None


def sound_mark(target: PersistentVolumeClaim, clone: Cloning) -> str:
    """The mark that stands on the target, unless somebody wrote what is none; else a new one."""
    mark = mark_of(target.metadata)
    return mark if is_mark(mark) else clone.fresh_mark
