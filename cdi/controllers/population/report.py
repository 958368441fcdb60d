"""What a worker pod says about its work. Pure.

no state yet, waiting -> not running, with the reason why; in CrashLoopBackOff the last end stays in view
running               -> running
exit 0, termination JSON with the contract's message -> SUCCEEDED, without waiting for the pod's phase, which lags
exit 0, "checksum mismatch"                          -> FATAL
exit 0, scratchSpaceRequired                         -> NEEDS_SCRATCH
exit 0, deadlinePassed                               -> EXPIRED: neither success nor failure
exit 0, no message    -> LOST: it will not be started again, and a success it is not
exit != 0             -> FAILED: the kubelet starts it again
pod evicted, unknown  -> LOST
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass, replace
from enum import Enum

from cdi.api.datavolume import Attempt
from cdi.base.faults import CATALOGUE, Fault
from cdi.base.moments import moment, written
from cdi.base.wire.termination import decode_termination
from cdi.contract.failures import NEEDS_SCRATCH_REASON, failure_code, is_checksum_mismatch
from cdi.contract.names import WORKER_CONTAINERS
from cdi.controllers.claims.history import BROKEN_OFF
from cdi.kube.pods import Container, ContainerStatus, Pod, Terminated, Waiting

_PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_START_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
_BACK_OFF = re.compile(r"back-off (?:(?P<minutes>[0-9]{1,4})m)?(?P<seconds>[0-9]{1,4})s restarting")
_TERMINATION_CHARACTERS = 12 << 10  # what the kubelet keeps of all containers of a pod
_SIGNALS = 128  # exit codes above it are a signal's
_LOST = "the worker ended without a result"


class Outcome(Enum):
    NONE = "none"
    SUCCEEDED = "succeeded"
    FATAL = "fatal"
    NEEDS_SCRATCH = "needs scratch"
    EXPIRED = "expired"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Report:
    """``phase``: as the contract reports it, which is the pod's but for an outcome that the pod's phase lags behind.
    ``reason`` and ``message`` are those of the Running condition. ``ended``: RFC 3339, of the last attempt;
    ``next_attempt``: while the kubelet waits. ``provenance``: JSON, which version of the source was imported.
    ``notes``: what people should know although it ended well. ``attempt``: the last one that has ended. ``ready``: as
    the kubelet's probe says.
    """

    phase: str
    outcome: Outcome = Outcome.NONE
    running: bool | None = None  # None: nothing is known of the container yet
    reason: str = ""
    message: str = ""
    restarts: int = 0
    schedulable: bool = True
    preallocated: bool = False
    ended: str = ""
    next_attempt: str = ""
    provenance: str = ""
    notes: tuple[str, ...] = ()
    attempt: Attempt | None = None
    ready: bool = False

    @property
    def is_permanent(self) -> bool:
        """Whether another attempt would end the same, by the code in the message."""
        entry = CATALOGUE.get(failure_code(self.message))
        return self.outcome is Outcome.FAILED and entry is not None and entry.permanent


def report_of(pod: Pod) -> Report:
    """What the container said at its end counts, also when the pod was evicted or a mesh's sidecar failed after it."""
    report = _report_of(pod)
    return replace(report, attempt=_attempt(pod, report))


def _report_of(pod: Pod) -> Report:
    status = _of_worker(pod)
    ended = status.state.terminated if status is not None else None
    if status is not None and ended is not None and ended.exit_code == 0:
        return _ended_well(pod, status, ended)
    if pod.status.phase in {"Failed", "Unknown"}:
        return _lost(pod, status)
    if status is None:
        return Report(pod.status.phase or "Pending", schedulable=not _is_unschedulable(pod))
    return _current(pod, status)


def _of_worker(pod: Pod) -> ContainerStatus | None:
    """By name: the kubelet sorts the list by names, so an injected ``agent`` would come first."""
    return next((status for status in pod.status.container_statuses if status.name in WORKER_CONTAINERS), None)


def _current(pod: Pod, status: ContainerStatus) -> Report:
    last = status.state.terminated or status.last_state.terminated
    failed = Outcome.FAILED if last is not None and last.exit_code != 0 else Outcome.NONE
    phase = pod.status.phase or "Pending"
    if status.state.running is not None:
        return Report(phase, Outcome.NONE, True, "Pod is running", "", status.restart_count, ready=status.ready)
    waiting = status.state.waiting
    if last is not None:
        ended, after = last.finished_at or "", _next_attempt(waiting, last)
        return Report(phase, failed, False, *_failure(pod, last), status.restart_count, ended=ended, next_attempt=after)
    reason, message = (waiting.reason or "", waiting.message or "") if waiting is not None else ("", "")
    if reason in _PULL_REASONS:
        # Without the kubelet's own words: they change from attempt to attempt, and every change is a write.
        fault = Fault("ImagePullFailed", contract=f"failed to pull image: {_image(pod)}", image=_image(pod))
        reason, message = fault.code, fault.message
    if reason in _START_REASONS:
        message = cannot_start(message)
    return Report(phase, failed, False, reason, message, status.restart_count, not _is_unschedulable(pod))


def _next_attempt(waiting: Waiting | None, last: Terminated) -> str:
    """The kubelet tells its back-off in a sentence only: "back-off 2m40s restarting failed container=..."."""
    said = _BACK_OFF.match(waiting.message) if waiting is not None else None
    if said is None or not last.finished_at:
        return ""
    delay = datetime.timedelta(minutes=int(said["minutes"] or 0), seconds=int(said["seconds"]))
    ended = moment(last.finished_at)
    return "" if ended is None else written(ended + delay)


def _container(pod: Pod) -> Container:
    return next((container for container in pod.spec.containers if container.name in WORKER_CONTAINERS), Container())


def _image(pod: Pod) -> str:
    return _container(pod).image


def _failure(pod: Pod, ended: Terminated) -> tuple[str, str]:
    why = f"the worker was stopped: {ended.reason or 'no reason given'}, exit code {ended.exit_code}"
    if ended.reason == "OOMKilled":
        limit = _container(pod).resources.limits.get("memory", "amount")
        return "Error", Fault("WorkerOutOfMemory", contract=why, limit=limit).message
    message = ended.message or why
    if ended.exit_code > _SIGNALS or "\n" in message or '":' in message:
        # No last words of a worker, which are one line for people: the kubelet took the end of its log instead, which
        # is not for a status that everybody reads.
        status = f"{ended.exit_code} ({ended.reason})" if ended.reason else str(ended.exit_code)
        return "Error", Fault("WorkerKilled", status=status).message
    if "failed to pull image" in message:  # the contract's marker; there is no type to it
        return "ImagePullFailed", message
    return "Error", message


def cannot_start(cause: str) -> str:
    return Fault("WorkerCannotStart", cause=cause).message


def _ended_well(pod: Pod, status: ContainerStatus, ended: Terminated) -> Report:
    said = decode_termination(ended.message or "")
    message = said.message
    restarts, at = status.restart_count, ended.finished_at or ""
    if is_checksum_mismatch(message):
        return Report("Failed", Outcome.FATAL, False, "ChecksumError", message, restarts, ended=at)
    if said.scratch_space_required:
        texts = (NEEDS_SCRATCH_REASON, "scratch space required and none found")
        return Report("Running", Outcome.NEEDS_SCRATCH, False, *texts, restarts, ended=at)
    if said.deadline_passed:
        return Report("", Outcome.EXPIRED, False, "", message, restarts, ended=at)
    if not message:
        return _lost(pod, status)
    return Report(
        "Succeeded",
        Outcome.SUCCEEDED,
        False,
        "Completed",
        message,
        restarts,
        preallocated=said.preallocation_applied or False,
        ended=at,
        provenance=json.dumps(dict(said.source), sort_keys=True) if said.source else "",
        notes=said.notes,
    )


def _attempt(pod: Pod, report: Report) -> Attempt | None:
    status = _of_worker(pod)
    ended = status and (status.state.terminated or status.last_state.terminated)
    if ended:
        done = decode_termination(ended.message).bytes_done
        code = failure_code(_failure(pod, ended)[1])
        return Attempt(
            start=ended.started_at or "",
            end=ended.finished_at or "",
            outcome=_ENDS.get(report.outcome) or code or f"exit code {ended.exit_code}",
            node=pod.spec.node_name,
            bytes_done=done if 0 <= done < 2**63 else 0,
        )
    if report.outcome is Outcome.LOST:
        outcome = failure_code(report.message) or "lost"
        return Attempt(pod.metadata.creation_timestamp or "", report.ended, outcome, pod.spec.node_name)
    return None


def broken_off(pod: Pod) -> Attempt | None:
    """What is known of the attempt of a pod that somebody deletes while it works."""
    status = _of_worker(pod)
    if status is None:
        return None
    running, ended = status.state.running, status.state.terminated
    start = (running and running.started_at) or (ended and ended.started_at) or ""
    if not start:
        return None
    end = pod.metadata.deletion_timestamp or ""
    return Attempt(start=start, end=end, outcome=BROKEN_OFF, node=pod.spec.node_name)


_ENDS = {
    Outcome.SUCCEEDED: "Succeeded",
    Outcome.NEEDS_SCRATCH: "ScratchRequired",
    Outcome.FATAL: "ChecksumMismatch",
}


def _lost(pod: Pod, status: ContainerStatus | None) -> Report:
    ended = status and (status.state.terminated or status.last_state.terminated)
    why = pod.status.reason or (ended and ended.reason) or "no reason given"
    text = (pod.status.message or (ended and ended.message)) or f"{_LOST}: {why}"
    if pod.status.reason == "Evicted":
        text = Fault("WorkerEvicted", contract=f"{_LOST}: {why}", node=pod.spec.node_name, cause=text).message
    restarts = status.restart_count if status else 0
    at = (ended and ended.finished_at) or pod.metadata.creation_timestamp or ""
    return Report("Failed", Outcome.LOST, False, "Error", text, restarts, ended=at)


def _is_unschedulable(pod: Pod) -> bool:
    return any(
        item.type == "PodScheduled" and item.status == "False" and item.reason == "Unschedulable"
        for item in pod.status.conditions
    )
