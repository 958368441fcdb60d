"""The worker of one claim: made, watched, replaced, taken away. The same in both ways. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace

from cdi.base.sources import is_empty, source_of_word
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.classes import is_untouched, may_be_untouched
from cdi.controllers.population import outputs
from cdi.controllers.population.history import recorded
from cdi.controllers.population.observed import Observed
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import (
    Action,
    ClaimRef,
    CopyProxyCertificates,
    CreateScratch,
    CreateWorker,
    DeleteWorker,
    Emit,
    Follow,
)
from cdi.controllers.population.pod import SCRATCH_VOLUME, Job, importer_pod
from cdi.controllers.population.prime import scratch_claim
from cdi.controllers.population.report import Outcome, Report, broken_off, cannot_start, report_of
from cdi.controllers.population.way import is_bound, worker_may_start
from cdi.kube.pods import Pod
from cdi.kube.resources import CLAIMS, PODS
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.parameters import Parameters
from cdi.sources.request import parameters_of

_REPLACE_AFTER_S = 10.0  # a worker that was lost is replaced at most this often
_TRY_AGAIN_S = 10.0  # while somebody else has the name of a claim or pod
_SELDOM_S = 300.0
_VOLUME_SEEN_S = 5.0
_OF_A_WORKER = (a.POD_NAME, a.POD_PHASE, a.OWN_HISTORY, a.OWN_DURABLE)  # it may have written something
STUCK_S = 10.0  # after which a worker that its node has not started is asked about
_ENDS_WITHIN_S = 60.0  # a worker that is deleted, unless its node is gone


def seldom(first_s: float, age_s: float) -> float:
    """Seconds until the next look at something that waits since ``age_s``, where nobody tells when it does no more."""
    return min(max(first_s, age_s / 3), _SELDOM_S)


@dataclass(frozen=True, slots=True)
class Work:
    """``first`` comes before the outputs are written, ``then`` after: what is lost with a pod is on record by then."""

    outputs: Outputs
    first: tuple[Action, ...] = ()
    then: tuple[Action, ...] = ()
    wait: float | None = None
    scratch_is_awaited: bool = False


def work_on(seen: Observed, claim: PersistentVolumeClaim, target: PersistentVolumeClaim) -> Work:
    before = outputs.outputs_of(claim)
    asked = parameters_of(claim.metadata.annotations)
    if asked is None:
        return Work(before)
    if before.get(a.POD_PHASE) == "Succeeded" or _is_given_up(before, asked):
        return Work(before, then=_removed(claim, seen.pod))
    if source_of_word(asked.source) is None and seen.pod is None:
        text = f"source {asked.source} is accepted, but not acted on by this version"
        return Work(outputs.without_attempt(before) | outputs.running(False, "Error", text))
    if seen.pod is None:
        return _started(seen, claim, target, asked)
    if seen.pod.metadata.deletion_timestamp and report_of(seen.pod).outcome is not Outcome.SUCCEEDED:
        return _ending(seen, before, seen.pod)
    return _watched(seen, claim, seen.pod, asked)


def _is_given_up(before: Outputs, asked: Parameters) -> bool:
    """Another attempt at the same thing would end the same; a correction makes it another thing."""
    return before.get(a.FATAL) == "true" and before.get(a.OWN_DIGEST) in (asked.digest, None)


def _started(seen: Observed, claim: PersistentVolumeClaim, target: PersistentVolumeClaim, asked: Parameters) -> Work:
    before = outputs.outputs_of(claim)
    if seen.is_over or not worker_may_start(claim, seen.storage_class, seen.cluster):
        return Work(before)
    if done := _nothing_to_write(seen, claim, asked):
        return done
    if seen.users:
        where = f"{claim.metadata.namespace}/{seen.users[0]}"
        text = f"pod {where} using PersistentVolumeClaim {claim.metadata.name}"
        # No look in between: the watch of pods tells when it is gone.
        return Work(before, first=(Emit(_ref(claim), "Warning", "ImportTargetInUse", text),))
    job = Job(claim, target, asked, seen.overhead, scratch=before.get(a.REQUIRES_SCRATCH) == "true")
    if job.scratch and seen.scratch is not None:
        return _scratch_is_there(before, claim, seen.scratch)
    name = names.importer(claim.metadata.name)
    after = outputs.without_attempt(before) | {a.POD_NAME: name}
    told = (outputs.told(claim), outputs.told(target))
    worker = CreateWorker(importer_pod(job, seen.cluster, seen.settings), _ref(claim), _ref(target), told)
    # Before the outputs: a worker that is refused must not look like a new start, again and again.
    return Work({a.POD_RESTARTS: "0"} | after, first=(worker,))


def _nothing_to_write(seen: Observed, claim: PersistentVolumeClaim, asked: Parameters) -> Work | None:
    """An empty disk on a new volume that reads as zeroes is there already; None: a worker has to see to it."""
    storage_class, before = seen.storage_class, outputs.outputs_of(claim)
    if not is_empty(asked.source) or asked.preallocation or storage_class is None or not is_bound(claim):
        return None
    if not may_be_untouched(claim, storage_class) or any(key in before for key in _OF_A_WORKER):
        return None
    if seen.volume is None:
        return Work(before, wait=_VOLUME_SEEN_S)  # its watch lags behind that of claims, and tells when it does no more
    if not is_untouched(claim, seen.volume, storage_class):
        return None
    text = (
        f"Import Complete: nothing was written, as new volumes of storage class {storage_class.metadata.name} are zero"
    )
    done = {a.POD_RESTARTS: "0"} | outputs.without_attempt(before) | {a.POD_PHASE: "Succeeded"}
    return Work(done | outputs.running(False, "Completed", text))


def _scratch_is_there(before: Outputs, claim: PersistentVolumeClaim, scratch: PersistentVolumeClaim) -> Work:
    """That of the worker before goes with it, and is waited for: a pod that mounts it would keep it from going, and
    could not use it. Anybody else's is not ours to write into."""
    owner = next((owner for owner in scratch.metadata.owner_references if owner.controller), None)
    if owner is not None and owner.kind == PODS.kind and owner.name == names.importer(claim.metadata.name):
        return Work(before, wait=_TRY_AGAIN_S)
    name = scratch.metadata.name
    text = (
        f"claim {name} is not ours, and scratch space needs that name: delete it, or choose another name for the volume"
    )
    return Work(before | outputs.running(False, "ErrStartingPod", text), wait=_TRY_AGAIN_S)


def _ending(seen: Observed, before: Outputs, pod: Pod) -> Work:
    """A pod that is being deleted, which takes as long as its node wants."""
    attempt = broken_off(pod)
    if attempt is not None:
        before = before | {a.OWN_HISTORY: recorded(before.get(a.OWN_HISTORY, ""), attempt)}
    if seen.pod_age_s < _ENDS_WITHIN_S:
        return Work(before, wait=_ENDS_WITHIN_S - seen.pod_age_s)
    text = (
        f"worker {pod.metadata.name} is deleted, and node {pod.spec.node_name} does not end it. Try: look at the node; "
        f"if it is gone for good, kubectl delete pod {pod.metadata.name} --force"
    )
    return Work(before | outputs.running(False, "Error", text), wait=_ENDS_WITHIN_S)


def _watched(seen: Observed, claim: PersistentVolumeClaim, pod: Pod, asked: Parameters) -> Work:
    before = outputs.outputs_of(claim)
    if pod.metadata.controller_uid != claim.metadata.uid:
        text = f"pod {pod.metadata.name} is not ours: delete it, or choose another name for the volume"
        return Work(before | outputs.running(False, "ErrStartingPod", text), wait=_TRY_AGAIN_S)
    # One without a digest was made by another version, which did not write it: its work goes on.
    if pod.metadata.annotations.get(a.OWN_DIGEST, asked.digest) != asked.digest:
        return Work(outputs.without_attempt(before), then=(_gone(pod),))
    report = report_of(pod)
    if seen.pod_event is not None and report.running is False and not report.message:
        report = replace(report, message=cannot_start(seen.pod_event.message))
    work = _concluded(seen, claim, pod, report, asked.digest) or _assisted(seen, claim, pod, report)
    return replace(work, first=(*work.first, *_failure_told(seen, claim, work, report)))


def _failure_told(seen: Observed, claim: PersistentVolumeClaim, work: Work, report: Report) -> list[Action]:
    """Once per attempt, on the claim that people know."""
    before, keys = outputs.outputs_of(claim), (a.POD_RESTARTS, a.RUNNING_MESSAGE)
    failed = report.outcome in (Outcome.FAILED, Outcome.FATAL, Outcome.LOST)
    if not failed or all(before.get(key) == work.outputs.get(key) for key in keys):
        return []
    target = seen.target or claim
    source = "" if target is claim else f"[{claim.metadata.name}] : "
    return [Emit(_ref(target), "Warning", "ErrImportFailed", f"{source}{report.message}")]


def _concluded(seen: Observed, claim: PersistentVolumeClaim, pod: Pod, report: Report, digest: str) -> Work | None:
    """None: it has not ended, or the kubelet starts it again."""
    after = _reported(seen, claim, pod, report)
    if report.outcome is Outcome.SUCCEEDED:
        for key in (a.OWN_DURABLE, a.OWN_WORKER):
            after.pop(key, None)
        told = (Emit(_ref(seen.target or claim), "Warning", *_parted(note)) for note in report.notes)
        return Work(after, first=tuple(told), then=_removed(claim, pod))
    if report.outcome is Outcome.LOST:
        return _replaced(seen, after, pod)
    if report.outcome is Outcome.NEEDS_SCRATCH:
        return Work(after | {a.REQUIRES_SCRATCH: "true"}, then=(_gone(pod),))
    if report.outcome is Outcome.FATAL or (report.is_permanent and _policy(claim, seen) == "Fail"):
        failed = after | {a.POD_PHASE: "Failed", a.FATAL: "true", a.OWN_DIGEST: digest}
        return Work(failed, then=_removed(claim, pod))
    return None


def _parted(note: str) -> tuple[str, str]:
    """The reason in front of a worker's note, and the note."""
    reason, _, text = note.partition(": ")
    return reason, text


def _reported(seen: Observed, claim: PersistentVolumeClaim, pod: Pod, report: Report) -> Outputs:
    found = outputs.reported(outputs.outputs_of(claim), report) | {a.POD_NAME: pod.metadata.name}
    found[a.OWN_DIGEST] = pod.metadata.annotations.get(a.OWN_DIGEST, "")
    if _is_made_by_us(seen, claim, pod):
        found[a.OWN_WORKER] = pod.metadata.uid
    return found | ({a.OWN_DURABLE: seen.durable} if seen.durable else {})


def _is_made_by_us(seen: Observed, claim: PersistentVolumeClaim, pod: Pod) -> bool:
    """Its uid is what nobody can know who makes a pod like it; it is kept for the next leader."""
    return seen.pod_is_made or claim.metadata.annotations.get(a.OWN_WORKER) == pod.metadata.uid


def _policy(claim: PersistentVolumeClaim, seen: Observed) -> str:
    """What a permanent fault does: it stands on the claim that the user made."""
    target = seen.target or claim
    return target.metadata.annotations.get(a.OWN_FAILURE_POLICY, "Retry")


def _replaced(seen: Observed, after: Outputs, pod: Pod) -> Work:
    if seen.pod_age_s < _REPLACE_AFTER_S:
        return Work(after, wait=_REPLACE_AFTER_S - seen.pod_age_s)
    return Work(after, then=(_gone(pod),))


def _assisted(seen: Observed, claim: PersistentVolumeClaim, pod: Pod, report: Report) -> Work:
    """What a pod needs beside itself, made after it since it is the owner; the kubelet waits for it."""
    then: list[Action] = []
    target = pod.metadata.annotations.get(a.OWN_TARGET, claim.metadata.name)
    wants_scratch = any(volume.name == SCRATCH_VOLUME for volume in pod.spec.volumes)
    if wants_scratch and seen.scratch is not None and not _may_mount(pod, seen.scratch, report):
        return Work(_reported(seen, claim, pod, report), then=(_gone(pod),))
    if wants_scratch and seen.scratch is None:
        body = scratch_claim(
            claim,
            pod,
            storage_class=seen.cluster.scratch_class,
            overhead=seen.overhead,
            scratch_overhead=seen.scratch_overhead,
            settings=seen.settings,
        )
        then.append(CreateScratch(body, _ref(claim)))
    if seen.cluster.proxy.certificates and not report.running and not report.restarts:
        owner = owner_reference("v1", "Pod", pod.metadata)
        name = names.proxy_certificates(claim.metadata.name)
        source = seen.cluster.proxy.certificates
        then.append(CopyProxyCertificates(source, name, claim.metadata.namespace, owner, _ref(claim), target))
    if report.running and _is_made_by_us(seen, claim, pod):
        then.append(Follow(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid, target))
    awaited = wants_scratch and (seen.scratch is None or seen.scratch.status.phase != "Bound")
    is_placed = report.phase == "Pending" and pod.spec.node_name
    waits = seldom(STUCK_S, seen.pod_age_s) if is_placed else None
    return Work(_reported(seen, claim, pod, report), then=tuple(then), wait=waits, scratch_is_awaited=awaited)


def _may_mount(pod: Pod, scratch: PersistentVolumeClaim, report: Report) -> bool:
    """A pod that has started once has its scratch space, and keeps it, whatever becomes of the claim."""
    is_its_own = scratch.metadata.controller_uid == pod.metadata.uid and not scratch.metadata.deletion_timestamp
    return is_its_own or bool(report.running or report.restarts or report.outcome is not Outcome.NONE)


def is_worker(pod: Pod) -> bool:
    """Whether it is one of ours: a name proves nothing, anybody may have called a pod so."""
    owner = next((owner for owner in pod.metadata.owner_references if owner.controller), None)
    return owner is not None and owner.kind == CLAIMS.kind and pod.metadata.name == names.importer(owner.name)


def _removed(claim: PersistentVolumeClaim, pod: Pod | None) -> tuple[Action, ...]:
    """Kept for debugging where somebody asked for that."""
    if pod is None or pod.metadata.deletion_timestamp or not is_worker(pod):
        return ()
    if claim.metadata.annotations.get(a.RETAIN) == "true":
        return ()
    return (_gone(pod),)


def _gone(pod: Pod) -> DeleteWorker:
    return DeleteWorker(pod.metadata.namespace, pod.metadata.name, pod.metadata.uid)


def _ref(claim: PersistentVolumeClaim) -> ClaimRef:
    metadata = claim.metadata
    return ClaimRef(metadata.namespace, metadata.name, metadata.uid, metadata.resource_version)
