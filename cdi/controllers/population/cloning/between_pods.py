"""A clone for which no populator serves the class: one pod reads the source, an upload server writes the target. Pure.

The pod that reads is made as soon as the other one has an address, which it is told: a name would resolve only when
that one is ready, and who asks earlier gets the answer "no such name" for as long as caches of DNS keep it (10 s were
seen). It may lie in another namespace, so it is found by its name and mark, as all that clones make, and a finalizer
keeps the target until it is gone.
"""

from __future__ import annotations

from cdi.base.wire.clone import client_name
from cdi.contract import annotations as a
from cdi.controllers.population import outputs
from cdi.controllers.population.cloning import words
from cdi.controllers.population.cloning.names import is_mark, name_of
from cdi.controllers.population.cloning.seen import Cloning, mark_of
from cdi.controllers.population.cloning.source_pod import source_pod
from cdi.controllers.population.cloning.steps import (
    LOOK_AGAIN_S,
    others_than,
    pod_ended,
    sound_mark,
    why_busy,
    worker_of,
)
from cdi.controllers.population.handover import annotated, why_unbound
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.receiving.kind import CloneRequest, Receiving, request_in
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import Action, Annotate, Create, Emit, Plan, Role, ref
from cdi.controllers.population.report import Outcome, report_of
from cdi.controllers.population.step import Step
from cdi.controllers.population.work import seldom, work_on
from cdi.kube.pods import Pod
from cdi.kube.storage import PersistentVolumeClaim
from storageprofiles import clone as planning
from storageprofiles.clone import Refusal

_RECEIVING = Receiving()
_SOURCE_OUTPUTS = (a.SOURCE_RUNNING, a.SOURCE_RUNNING_REASON, a.SOURCE_RUNNING_MESSAGE)
_LOOK_S = 10.0  # at why a claim is not bound


def copied(seen: Observed, target: PersistentVolumeClaim, clone: Cloning) -> Plan:
    if target.metadata.deletion_timestamp:
        return Plan(tuple(parted(seen, target)))
    asked = request_in(target.metadata.annotations)
    if asked is None:
        text = f"annotation {a.CLONE_REQUEST} has to be the namespace and name of a claim, with a slash between them"
        return _still(target, "CloneValidationFailed", text)
    is_begun = worker_of(seen, target) is not None or target.metadata.annotations.get(a.POD_PHASE) == "Succeeded"
    if not is_begun and (hindrance := _hindrance(clone)):
        return _still(target, *hindrance)
    is_marked = a.SOURCE_FINALIZER in target.metadata.finalizers and is_mark(mark_of(target.metadata))
    if not is_marked and not _is_over(seen, target):
        return _marked(target, clone, asked)
    return _between(seen, target, clone, asked)


def _is_over(seen: Observed, target: PersistentVolumeClaim) -> bool:
    return seen.is_over or target.metadata.annotations.get(a.POD_PHASE) == "Succeeded"


def _hindrance(clone: Cloning) -> tuple[str, str] | None:
    """Reason and text of why nothing can be made yet."""
    if clone.refusal:
        return "CloneNotPermitted", clone.refusal
    if clone.claim is None:
        return "CloneWithoutSource", f"The source pvc {clone.source_name} doesn't exist"
    if clone.facts is not None:
        facts = clone.facts
        plan = planning.choose(facts.source, facts.target, facts.cluster, facts.wishes)
        if isinstance(plan, Refusal):
            return "CloneValidationFailed", plan.message
    return why_busy(clone)


def _still(target: PersistentVolumeClaim, reason: str, text: str) -> Plan:
    """Nothing is made until that changes, which is seen."""
    before = words.outputs_of(target)
    is_news = before.get(a.RUNNING_MESSAGE) != text
    told = [Emit(ref(target), "Warning", reason, text)] if is_news else []
    return Plan((*told, *annotated(target, before, before | outputs.running(False, reason, text))), LOOK_AGAIN_S)


def _marked(target: PersistentVolumeClaim, clone: Cloning, asked: CloneRequest) -> Plan:
    """Before anything is made in another namespace."""
    metadata = target.metadata
    before = words.outputs_of(target)
    mark, others = sound_mark(target, clone), others_than(a.SOURCE_FINALIZER, metadata)
    after = before | {
        a.OWN_CLONE_MARK: mark,
        a.OWN_CLONE_NAMESPACE: clone.namespace,
        a.UPLOAD_CLIENT_NAME: client_name(asked.place, f"{metadata.namespace}/{metadata.name}"),
        a.SOURCE_POD_NAME: name_of(Role.SOURCE, metadata.uid, mark, is_taken=Role.SOURCE in clone.taken),
    }
    return Plan((Annotate(ref(target), before, after, (*others, a.SOURCE_FINALIZER)),))


def _between(seen: Observed, target: PersistentVolumeClaim, clone: Cloning, asked: CloneRequest) -> Plan:
    before = words.outputs_of(target)
    case = Case(seen, _RECEIVING, asked, target, target, outputs.outputs_of(target))
    step = work_on(case)
    is_done = step.outputs.get(a.POD_PHASE) == "Succeeded"
    # What a worker never writes, such as the type of the clone, stays.
    after = {key: value for key, value in before.items() if key not in case.before} | step.outputs
    if is_done:
        return _finished(seen, target, step, (before, after))
    # Asked again for each pod that reads: since the first one, a VM may have begun to write.
    hindrance = _hindrance(clone) if seen.source_pod is None else None
    after |= _of_source(seen.source_pod) if hindrance is None else _unread(*hindrance)
    after = outputs.without_bound(after) if target.status.phase == "Bound" else after | why_unbound(seen)
    return Plan(
        (
            *step.first,
            *(_source_made(case, clone) if hindrance is None else _told_once(target, *hindrance)),
            *annotated(target, before, after),
            *step.then,
            *_source_replaced(seen),
        ),
        _next_look(seen, target, step),
    )


def _unread(reason: str, text: str) -> Outputs:
    return dict(zip(_SOURCE_OUTPUTS, ("false", reason, text), strict=True))


def _told_once(target: PersistentVolumeClaim, reason: str, text: str) -> list[Action]:
    is_news = target.metadata.annotations.get(a.SOURCE_RUNNING_MESSAGE) != text
    return [Emit(ref(target), "Warning", reason, text)] if is_news else []


def _of_source(pod: Pod | None) -> Outputs:
    """One that has sent all is not over: the other one has its part still to do."""
    report = report_of(pod) if pod is not None else None
    if report is None or report.running is None:
        return {}
    is_well = report.running or report.outcome is Outcome.SUCCEEDED
    words = ("true", "Pod is running", "") if is_well else ("false", report.reason, report.message)
    return dict(zip(_SOURCE_OUTPUTS, words, strict=True))


def _source_made(case: Case, clone: Cloning) -> list[Action]:
    seen, target = case.seen, case.target
    address = _address(seen)
    if not address or seen.source_pod is not None or clone.claim is None:
        return []
    wanted = source_pod(case, clone.claim, address, is_taken=Role.SOURCE in clone.taken)
    name = wanted.body["metadata"]["name"]
    told = (outputs.told(target),)
    return [Create(wanted, ref(target), lambda cause: outputs.worker_refused(name, cause), told, unchanged=ref(target))]


def _address(seen: Observed) -> str:
    """Of the pod that writes; empty while it has none, or while it goes."""
    pod = seen.pod
    return pod.status.pod_ip if pod is not None and not pod.metadata.deletion_timestamp else ""


def _source_replaced(seen: Observed) -> list[Action]:
    """A pod that will send no more, or to an address that nobody has any more, while the other one waits for it."""
    pod = seen.source_pod
    if pod is None:
        return []
    outcome, address = report_of(pod).outcome, _address(seen)
    made = pod.metadata.creation_timestamp
    since = seen.pod.metadata.creation_timestamp if seen.pod is not None else None
    is_silent = outcome is Outcome.SUCCEEDED and bool(made and since and since > made)
    is_astray = bool(address) and pod.metadata.annotations.get(a.OWN_ADDRESS) != address
    return pod_ended(pod) if outcome is Outcome.LOST or is_silent or is_astray else []


def _finished(seen: Observed, target: PersistentVolumeClaim, step: Step, written: tuple[Outputs, Outputs]) -> Plan:
    before, after = written
    after = {key: value for key, value in after.items() if key not in _SOURCE_OUTPUTS} | {a.CLONE_OF: "true"}
    is_news = before.get(a.CLONE_OF) != "true"
    told = [Emit(ref(target), "Normal", *_RECEIVING.words.filled)] if is_news else []
    pod = seen.source_pod
    is_kept = target.metadata.annotations.get(a.RETAIN) == "true"
    if a.SOURCE_FINALIZER in target.metadata.finalizers and (pod is None or is_kept):
        left = others_than(a.SOURCE_FINALIZER, target.metadata)
        return Plan((*step.first, *told, Annotate(ref(target), before, after, left), *step.then))
    gone = pod_ended(pod) if pod is not None and not is_kept else []
    return Plan((*step.first, *told, *annotated(target, before, after), *step.then, *gone))


def parted(seen: Observed, target: PersistentVolumeClaim) -> list[Action]:
    """The target goes, or asks for it no more: the pod that reads goes first, which nothing else takes with it."""
    pods = [pod for pod in (worker_of(seen, target), seen.source_pod) if pod is not None]
    if pods or a.SOURCE_FINALIZER not in target.metadata.finalizers:
        return [action for pod in pods for action in pod_ended(pod)]
    before = words.outputs_of(target)
    return [Annotate(ref(target), before, before, others_than(a.SOURCE_FINALIZER, target.metadata))]


def _next_look(seen: Observed, target: PersistentVolumeClaim, step: Step) -> float | None:
    waits = [step.wait] if step.wait is not None else []
    if target.status.phase == "Pending":
        waits.append(seldom(_LOOK_S, seen.unbound_s))
    if seen.source_pod is None and seen.pod is not None:
        waits.append(LOOK_AGAIN_S)
    return min(waits, default=None)
