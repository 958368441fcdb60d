"""The contract's annotations on claims as outputs: computed whole from a report, applied whole. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cdi.base.faults import Fault
from cdi.contract import annotations as a
from cdi.controllers.claims.history import recorded
from cdi.controllers.population.plan import Refusal, Told, ref
from cdi.controllers.population.report import Outcome, Report
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.request import is_source_annotation

Outputs = dict[str, str]

_RUNNING = (a.RUNNING, a.RUNNING_REASON, a.RUNNING_MESSAGE)
_BOUND = (a.BOUND, a.BOUND_REASON, a.BOUND_MESSAGE)
# From the worker's claim to the target; what the worker's lacks, the target loses.
MIRRORED = (
    a.POD_PHASE,
    a.POD_READY,
    a.POD_RESTARTS,
    a.POD_SCHEDULABLE,
    a.PREALLOCATION,
    a.PREALLOCATION_REQUESTED,
    *_RUNNING,
    a.FATAL,
    a.OWN_DIGEST,
    a.OWN_NEXT_ATTEMPT,
    a.OWN_PROVENANCE,
    a.OWN_HISTORY,
)
_OWNED = frozenset(
    (
        *MIRRORED,
        *_BOUND,
        *a.POD_NAMES,
        a.REQUIRES_SCRATCH,
        a.PROGRESS,
        a.PRIME,
        a.OWN_DIGEST,
        a.OWN_RETAINED,
        a.OWN_DURABLE,
        a.OWN_WORKER,
        a.CLONE_PHASE,
        a.CLONE_ERROR,
        a.CLONE_FALLBACK,
        a.OWN_CLONE_PLAN,
        a.OWN_CLONE_MARK,
        a.OWN_CLONE_NAMESPACE,
        a.UPLOAD_CLIENT_NAME,
        a.SOURCE_RUNNING,
        a.SOURCE_RUNNING_REASON,
        a.SOURCE_RUNNING_MESSAGE,
    )
)
_OF_ATTEMPT = (
    a.POD_PHASE,
    a.POD_READY,
    *_RUNNING,
    a.FATAL,
    a.OWN_DIGEST,
    a.PREALLOCATION,
    a.PROGRESS,
    a.OWN_NEXT_ATTEMPT,
    a.OWN_PROVENANCE,
    a.OWN_WORKER,
)


def outputs_of(claim: PersistentVolumeClaim) -> Outputs:
    """As they are on the claim. On a PVC' the request itself is ours too: it follows the source object."""
    annotations = claim.metadata.annotations
    ours = a.POPULATOR_KIND in annotations
    return {key: value for key, value in annotations.items() if key in _OWNED or (ours and is_source_annotation(key))}


def told(claim: PersistentVolumeClaim) -> Told:
    """What a refusal has to know of ``claim``: what people wrote on it are its labels, and all that is no output."""
    labels = {f"label:{key}": value for key, value in claim.metadata.labels.items()}
    inputs = {key: value for key, value in claim.metadata.annotations.items() if key not in _OWNED}
    return Told(ref(claim), outputs_of(claim), labels | inputs)


def reported(before: Mapping[str, str], report: Report) -> Outputs:
    """``before`` with what the worker says now; ``restarts`` never goes down, also when the pod is replaced."""
    restarts = max(report.restarts, a.count(before.get(a.POD_RESTARTS, "")))
    after = {key: value for key, value in before.items() if key not in _OF_ATTEMPT or key == a.PROGRESS}
    if report.outcome is not Outcome.NEEDS_SCRATCH or a.POD_PHASE in before:
        # A worker that only found out what it needs has got no further than the phase before.
        after[a.POD_PHASE] = before[a.POD_PHASE] if report.outcome is Outcome.NEEDS_SCRATCH else report.phase
    after[a.POD_RESTARTS] = str(restarts)
    after[a.POD_SCHEDULABLE] = "true" if report.schedulable else "false"
    if report.running is not None:
        after |= running(report.running, report.reason, report.message)
    known = {a.OWN_NEXT_ATTEMPT: report.next_attempt, a.OWN_PROVENANCE: report.provenance}
    after |= {key: value for key, value in known.items() if value}
    if report.attempt is not None:
        after[a.OWN_HISTORY] = recorded(before.get(a.OWN_HISTORY, ""), report.attempt)
    if report.preallocated:
        after[a.PREALLOCATION] = "true"
    return after


def running(state: bool, reason: str, message: str) -> Outputs:
    return {a.RUNNING: "true" if state else "false", a.RUNNING_REASON: reason, a.RUNNING_MESSAGE: message}


def bound(reason: str, message: str) -> Outputs:
    """The target is not bound, and why."""
    return {a.BOUND: "false", a.BOUND_REASON: reason, a.BOUND_MESSAGE: message}


def worker_refused(pod: str, cause: str) -> Refusal:
    """The API server refused the worker pod, for ``cause``. The contract's text comes first."""
    reason = "ErrExceededQuota" if "exceeded quota" in cause else "ErrStartingPod"
    text = f"Error starting pod '{pod}': For more information, request access to cdi-deploy logs from your sysadmin"
    message = Fault(reason, contract=text, cause=cause).message
    return Refusal(reason, message, {a.POD_PHASE: "Failed"} | running(False, reason, message))


def prime_refused(cause: str) -> Refusal:
    return Refusal("ErrCreatingPVCPrime", cause, bound("Pending", cause))


def without_attempt(outputs: Mapping[str, str]) -> Outputs:
    """For a new start: nothing of the attempt before counts but the restarts."""
    return {key: value for key, value in outputs.items() if key not in _OF_ATTEMPT}


def without_bound(outputs: Mapping[str, str]) -> Outputs:
    return {key: value for key, value in outputs.items() if key not in _BOUND}


def mirrored(target: Mapping[str, str], worker: Mapping[str, str]) -> Outputs:
    """The target's outputs with those of the worker's claim in place of its own."""
    kept = {key: value for key, value in target.items() if key not in MIRRORED}
    return kept | {key: worker[key] for key in MIRRORED if key in worker}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str | None]:
    """As a merge patch wants them: None removes."""
    set_: dict[str, str | None] = {key: value for key, value in after.items() if before.get(key) != value}
    return set_ | dict.fromkeys(before.keys() - after.keys())
