"""The worker of one claim: made, watched, replaced, taken away. The same for both ways and all kinds of work. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import partial

from cdi.contract import annotations as a
from cdi.contract.ownership import owner_reference
from cdi.controllers.claims.binding import worker_may_start
from cdi.controllers.claims.history import recorded
from cdi.controllers.population import outputs
from cdi.controllers.population.kind import Case, Kind
from cdi.controllers.population.kinds import kind_of_worker
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    Create,
    Delete,
    Emit,
    Follow,
    Refusal,
    Role,
    Told,
    Wanted,
    owned_by,
    ref,
)
from cdi.controllers.population.report import Outcome, Report, broken_off, cannot_start, report_of
from cdi.controllers.population.scratch import is_of_worker_before, may_mount, mounts_scratch, scratch_claim
from cdi.controllers.population.step import STUCK_S, Step
from cdi.kube.pods import Pod
from cdi.kube.resources import CLAIMS, PODS
from cdi.kube.storage import PersistentVolumeClaim
from cdi.kube.store import Key

_REPLACE_AFTER_S = 10.0  # a worker that was lost is replaced at most this often
_TRY_AGAIN_S = 10.0  # while somebody else has the name of a claim or pod
_SELDOM_S = 300.0
_ENDS_WITHIN_S = 60.0  # a worker that is deleted, unless its node is gone


def seldom(first_s: float, age_s: float) -> float:
    """Seconds until the next look at something that waits since ``age_s``, where nobody tells when it does no more."""
    return min(max(first_s, age_s / 3), _SELDOM_S)


def work_on(case: Case) -> Step:
    before, pod = case.before, case.seen.pod
    if before.get(a.POD_PHASE) == "Succeeded" or _is_given_up(case):
        return Step(before, then=removed(case, pod))
    if pod is None:
        return _started(case)
    if pod.metadata.deletion_timestamp and report_of(pod).outcome is not Outcome.SUCCEEDED:
        return _ending(case, pod)
    return _watched(case, pod)


def _is_given_up(case: Case) -> bool:
    """Another attempt at the same thing would end the same; a correction makes it another thing."""
    before = case.before
    return before.get(a.FATAL) == "true" and before.get(a.OWN_DIGEST) in (case.asked.digest, None)


def _started(case: Case) -> Step:
    seen, claim, before = case.seen, case.claim, case.before
    if seen.is_over:
        return Step(before)
    if done := case.kind.without_worker(case):
        return done
    if not worker_may_start(claim, seen.storage_class, seen.cluster):
        return Step(before)
    if seen.users:
        where = f"{claim.metadata.namespace}/{seen.users[0]}"
        text = f"pod {where} using PersistentVolumeClaim {claim.metadata.name}"
        # No look in between: the watch of pods tells when it is gone.
        return Step(before, first=(Emit(ref(claim), "Warning", case.kind.words.in_use, text),))
    scratch = before.get(a.REQUIRES_SCRATCH) == "true"
    wanted = case.kind.wanted(case, scratch=scratch)
    if blocked := _scratch_is_there(case, scratch=scratch) or _stranger_of(case, wanted):
        return blocked
    after = outputs.without_attempt(before) | {case.kind.words.pod_name: case.worker_name}
    # What is there is not asked for again: that it is granted would say that a refusal of the worker is over.
    wanted = tuple(item for item in wanted if item.role not in seen.objects)
    # Before the outputs: a worker that is refused must not look like a new start, again and again.
    return Step({a.POD_RESTARTS: "0"} | after, first=tuple(_worker_created(case, item) for item in wanted))


def _stranger_of(case: Case, wanted: Iterable[Wanted]) -> Step | None:
    """Something of somebody else has a name that is needed."""
    for item in wanted:
        found = case.seen.objects.get(item.role)
        if found is not None and found.metadata.controller_uid != case.claim.metadata.uid:
            text = (
                f"{item.resource.kind.lower()} {found.metadata.name} is not ours, and the worker needs one of that "
                f"name: delete it, or choose another name for the volume"
            )
            return Step(case.before | outputs.running(False, "ErrStartingPod", text), wait=_TRY_AGAIN_S)
    return None


def _worker_created(case: Case, wanted: Wanted) -> Create:
    """Or what stands beside it."""
    told = (outputs.told(case.claim), outputs.told(case.target))
    refusal = partial(outputs.worker_refused, case.worker_name)
    return Create(wanted, ref(case.target), refusal, told, unchanged=ref(case.claim))


def _scratch_is_there(case: Case, *, scratch: bool) -> Step | None:
    """That of the worker before goes with it, and is waited for. Anybody else's is not ours to write into. ``scratch``:
    whether the worker needs any."""
    found = case.seen.scratch
    if not scratch or found is None:
        return None
    if is_of_worker_before(case, found):
        return Step(case.before, wait=_TRY_AGAIN_S)
    name = found.metadata.name
    text = (
        f"claim {name} is not ours, and scratch space needs that name: delete it, or choose another name for the volume"
    )
    return Step(case.before | outputs.running(False, "ErrStartingPod", text), wait=_TRY_AGAIN_S)


def _ending(case: Case, pod: Pod) -> Step:
    """A pod that is being deleted, which takes as long as its node wants."""
    seen, before = case.seen, case.before | _readiness(case, False)
    attempt = broken_off(pod) if report_of(pod).outcome is not Outcome.EXPIRED else None
    if attempt is not None:
        before = before | {a.OWN_HISTORY: recorded(before.get(a.OWN_HISTORY, ""), attempt)}
    if seen.pod_age_s < _ENDS_WITHIN_S:
        return Step(before, wait=_ENDS_WITHIN_S - seen.pod_age_s)
    text = (
        f"worker {pod.metadata.name} is deleted, and node {pod.spec.node_name} does not end it. Try: look at the node; "
        f"if it is gone for good, kubectl delete pod {pod.metadata.name} --force"
    )
    return Step(before | outputs.running(False, "Error", text), wait=_ENDS_WITHIN_S)


def _watched(case: Case, pod: Pod) -> Step:
    before, seen = case.before, case.seen
    if pod.metadata.controller_uid != case.claim.metadata.uid:
        text = f"pod {pod.metadata.name} is not ours: delete it, or choose another name for the volume"
        return Step(before | outputs.running(False, "ErrStartingPod", text), wait=_TRY_AGAIN_S)
    # One without a digest was made by another version, which did not write it: its work goes on.
    if pod.metadata.annotations.get(a.OWN_DIGEST, case.asked.digest) != case.asked.digest:
        return Step(outputs.without_attempt(before), then=(_gone(pod),))
    report = report_of(pod)
    if seen.pod_event is not None and report.running is False and not report.message:
        report = replace(report, message=cannot_start(seen.pod_event.message))
    step = _concluded(case, pod, report) or _assisted(case, pod, report)
    return replace(step, first=(*step.first, *_failure_told(case, step, report)))


def _failure_told(case: Case, step: Step, report: Report) -> list[Action]:
    """Once per attempt, on the claim that people know."""
    keys = (a.POD_RESTARTS, a.RUNNING_MESSAGE)
    failed = report.outcome in (Outcome.FAILED, Outcome.FATAL, Outcome.LOST)
    if not failed or all(case.before.get(key) == step.outputs.get(key) for key in keys):
        return []
    source = "" if case.target is case.claim else f"[{case.claim.metadata.name}] : "
    return [Emit(ref(case.target), "Warning", case.kind.words.attempt_failed, f"{source}{report.message}")]


def _concluded(case: Case, pod: Pod, report: Report) -> Step | None:
    """None: it has not ended, or the kubelet starts it again."""
    after = _reported(case, pod, report)
    if report.outcome is Outcome.SUCCEEDED:
        for key in (a.OWN_DURABLE, a.OWN_WORKER):
            after.pop(key, None)
        told = (Emit(ref(case.target), "Warning", *_parted(note)) for note in report.notes)
        return Step(after, first=tuple(told), then=removed(case, pod))
    if report.outcome is Outcome.EXPIRED:
        return _replaced(case.seen, outputs.without_attempt(case.before) | _readiness(case, False), pod)
    if report.outcome is Outcome.LOST:
        return _replaced(case.seen, after, pod)
    if report.outcome is Outcome.NEEDS_SCRATCH:
        return Step(after | {a.REQUIRES_SCRATCH: "true"}, then=(_gone(pod),))
    if report.outcome is Outcome.FATAL or (report.is_permanent and _gives_up(case)):
        failed = after | {a.POD_PHASE: "Failed", a.FATAL: "true", a.OWN_DIGEST: case.asked.digest}
        return Step(failed, then=removed(case, pod))
    return None


def _parted(note: str) -> tuple[str, str]:
    """The reason in front of a worker's note, and the note."""
    reason, _, text = note.partition(": ")
    return reason, text


def _reported(case: Case, pod: Pod, report: Report) -> Outputs:
    found = outputs.reported(case.before, report) | {case.kind.words.pod_name: pod.metadata.name}
    found |= {a.OWN_DIGEST: pod.metadata.annotations.get(a.OWN_DIGEST, "")} | _readiness(case, report.ready)
    if _is_made_by_us(case, pod):
        found[a.OWN_WORKER] = pod.metadata.uid
    return found | ({a.OWN_DURABLE: case.seen.durable} if case.seen.durable else {})


def _readiness(case: Case, ready: bool) -> Outputs:
    return {a.POD_READY: "true" if ready else "false"} if case.kind.habits.tells_readiness else {}


def _is_made_by_us(case: Case, pod: Pod) -> bool:
    """Its uid is what nobody can know who makes a pod like it; it is kept for the next leader."""
    return case.seen.pod_is_made or case.before.get(a.OWN_WORKER) == pod.metadata.uid


def _gives_up(case: Case) -> bool:
    """Whether a permanent fault ends it, which stands on the claim that the user made."""
    policy = case.target.metadata.annotations.get(a.OWN_FAILURE_POLICY, "Retry")
    return policy == "Fail" and case.kind.habits.remembers_failures


def _replaced(seen: Observed, after: Outputs, pod: Pod) -> Step:
    if seen.pod_age_s < _REPLACE_AFTER_S:
        return Step(after, wait=_REPLACE_AFTER_S - seen.pod_age_s)
    return Step(after, then=(_gone(pod),))


def _assisted(case: Case, pod: Pod, report: Report) -> Step:
    """What a pod needs beside itself, made after it since it is the owner; the kubelet waits for it."""
    seen, then = case.seen, list[Action]()
    target = Key(case.target.metadata.namespace, case.target.metadata.name)
    after, wants_scratch = _reported(case, pod, report), mounts_scratch(pod)
    if wants_scratch and seen.scratch is not None and not may_mount(pod, seen.scratch, report):
        return Step(after, then=(_gone(pod),))
    if wants_scratch and seen.scratch is None:
        scratch = Wanted(Role.SCRATCH, CLAIMS, scratch_claim(case, pod))
        then.append(_companion_created(case, scratch, "ErrCreatingScratchSpace"))
    owner = owner_reference("v1", "Pod", pod.metadata)
    has_started = bool(report.running or report.restarts)
    missing = (owned_by(owner, item) for item in case.kind.missing(case, has_started=has_started))
    then += [_companion_created(case, item, case.kind.words.missing) for item in missing]
    if report.running and case.kind.habits.tells_progress and _is_made_by_us(case, pod):
        metadata = pod.metadata
        then.append(Follow(metadata.namespace, metadata.name, metadata.uid, target, case.kind.words.container))
    awaited = wants_scratch and (seen.scratch is None or seen.scratch.status.phase != "Bound")
    is_placed = report.phase == "Pending" and pod.spec.node_name
    waits = seldom(STUCK_S, seen.pod_age_s) if is_placed else None
    return Step(after, then=tuple(then), wait=waits, scratch_is_awaited=awaited)


def _companion_created(case: Case, wanted: Wanted, reason: str) -> Create:
    """Its owner is the pod, which is new, or the claim, which is there."""
    return Create(wanted, ref(case.target), partial(Refusal, reason), (Told(ref(case.claim)),))


def removed(case: Case, pod: Pod | None) -> tuple[Action, ...]:
    """What stood beside the worker goes; the pod is kept for debugging where somebody asked for that."""
    is_kept = case.claim.metadata.annotations.get(a.RETAIN) == "true"
    return (*companions_gone(case.kind, case.seen, case.claim), *(() if is_kept else worker_gone(pod)))


def worker_gone(pod: Pod | None) -> list[Delete]:
    """None of somebody else's."""
    if pod is None or pod.metadata.deletion_timestamp or kind_of_worker(pod) is None:
        return []
    return [_gone(pod)]


def companions_gone(kind: Kind, seen: Observed, claim: PersistentVolumeClaim) -> list[Delete]:
    return [
        Delete(resource, found.metadata.namespace, found.metadata.name, found.metadata.uid)
        for role, (resource, _) in kind.companions(claim.metadata.name).items()
        if (found := seen.objects.get(role)) is not None
        and found.metadata.controller_uid == claim.metadata.uid
        and not found.metadata.deletion_timestamp
    ]


def _gone(pod: Pod) -> Delete:
    return Delete(PODS, pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)
