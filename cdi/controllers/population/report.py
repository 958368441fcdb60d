"""What a worker pod says about its work. Pure.

no state yet, waiting -> not running, with the reason why; in CrashLoopBackOff the last end stays in view
running               -> running
exit 0, termination JSON with the contract's message -> SUCCEEDED, without waiting for the pod's phase, which lags
exit 0, "checksum mismatch"                          -> FATAL
exit 0, scratchSpaceRequired                         -> NEEDS_SCRATCH
exit 0, no message    -> LOST: it will not be started again, and a success it is not
exit != 0             -> FAILED: the kubelet starts it again
pod evicted, unknown  -> LOST
"""

from __future__ import annotations

import datetime
import json
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any

from cdi.base.faults import CATALOGUE
from cdi.controllers.datavolume.status import failure_code, is_checksum_mismatch
from cdi.kube.pods import ContainerStatus, Pod, Terminated, Waiting

CONTAINER = "importer"
NEEDS_SCRATCH_REASON = "Scratch space required"
_PULL_REASONS = ("ErrImagePull", "ImagePullBackOff", "InvalidImageName", "ErrImageNeverPull")
_BACK_OFF = re.compile(r"back-off (?:(?P<minutes>\d+)m)?(?P<seconds>\d+)s restarting")
_LOST = "the worker ended without a result"


class Outcome(Enum):
    NONE = "none"
    SUCCEEDED = "succeeded"
    FATAL = "fatal"
    NEEDS_SCRATCH = "needs scratch"
    FAILED = "failed"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class Report:
    """``phase``: as the contract reports it, which is the pod's but for an outcome that the pod's phase lags behind.
    ``reason`` and ``message`` are those of the Running condition. ``ended``: RFC 3339, of the last attempt;
    ``next_attempt``: while the kubelet waits. ``provenance``: JSON, which version of the source was imported.
    ``notes``: what people should know although it ended well.
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

    @property
    def is_permanent(self) -> bool:
        """Whether another attempt would end the same, by the code in the message."""
        entry = CATALOGUE.get(failure_code(self.message))
        return self.outcome is Outcome.FAILED and entry is not None and entry.permanent


def report_of(pod: Pod) -> Report:
    """What the container said at its end counts, also when the pod was evicted or a mesh's sidecar failed after it."""
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
    return next((status for status in pod.status.container_statuses if status.name == CONTAINER), None)


def _current(pod: Pod, status: ContainerStatus) -> Report:
    last = status.state.terminated or status.last_state.terminated
    failed = Outcome.FAILED if last is not None and last.exit_code != 0 else Outcome.NONE
    phase = pod.status.phase or "Pending"
    if status.state.running is not None:
        return Report(phase, Outcome.NONE, True, "Pod is running", "", status.restart_count)
    waiting = status.state.waiting
    if last is not None:
        ended, after = last.finished_at or "", _next_attempt(waiting, last)
        return Report(phase, failed, False, *_failure(last), status.restart_count, ended=ended, next_attempt=after)
    reason, message = (waiting.reason or "", waiting.message or "") if waiting is not None else ("", "")
    if reason in _PULL_REASONS:
        reason, message = "ImagePullFailed", f"failed to pull image: {_image(pod)}"
    return Report(phase, failed, False, reason, message, status.restart_count, not _is_unschedulable(pod))


def _next_attempt(waiting: Waiting | None, last: Terminated) -> str:
    """The kubelet tells its back-off in a sentence only: "back-off 2m40s restarting failed container=..."."""
    said = _BACK_OFF.match(waiting.message) if waiting is not None else None
    if said is None or not last.finished_at:
        return ""
    delay = datetime.timedelta(minutes=int(said["minutes"] or 0), seconds=int(said["seconds"]))
    return (datetime.datetime.fromisoformat(last.finished_at) + delay).strftime("%Y-%m-%dT%H:%M:%SZ")


def _image(pod: Pod) -> str:
    return next((container.image for container in pod.spec.containers if container.name == CONTAINER), "")


def _failure(ended: Terminated) -> tuple[str, str]:
    why = f"{ended.reason or 'no reason given'}, exit code {ended.exit_code}"
    message = ended.message or f"the worker was stopped: {why}"
    if "failed to pull image" in message:  # the contract's marker; there is no type to it
        return "ImagePullFailed", message
    return "Error", message


def _ended_well(pod: Pod, status: ContainerStatus, ended: Terminated) -> Report:
    said = _termination(ended.message or "")
    message = str(said.get("message", ""))
    restarts, at = status.restart_count, ended.finished_at or ""
    if is_checksum_mismatch(message):
        return Report("Failed", Outcome.FATAL, False, "ChecksumError", message, restarts, ended=at)
    if said.get("scratchSpaceRequired") is True:
        texts = (NEEDS_SCRATCH_REASON, "scratch space required and none found")
        return Report("Running", Outcome.NEEDS_SCRATCH, False, *texts, restarts, ended=at)
    if not message:
        return _lost(pod, status)
    return Report(
        "Succeeded",
        Outcome.SUCCEEDED,
        False,
        "Completed",
        message,
        restarts,
        preallocated=said.get("preallocationApplied") is True,
        ended=at,
        provenance=_provenance(said.get("source")),
        notes=tuple(map(str, said.get("notes", ()))),
    )


def _provenance(source: object) -> str:
    known = {str(key): str(value) for key, value in source.items()} if isinstance(source, dict) else {}
    return json.dumps(known, sort_keys=True) if known else ""


def _termination(text: str) -> dict[str, Any]:
    try:
        said = json.loads(text)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _lost(pod: Pod, status: ContainerStatus | None) -> Report:
    ended = status and (status.state.terminated or status.last_state.terminated)
    why = pod.status.reason or (ended and ended.reason) or "no reason given"
    text = (pod.status.message or (ended and ended.message)) or f"{_LOST}: {why}"
    restarts = status.restart_count if status else 0
    at = (ended and ended.finished_at) or pod.metadata.creation_timestamp or ""
    return Report("Failed", Outcome.LOST, False, "Error", text, restarts, ended=at)


def _is_unschedulable(pod: Pod) -> bool:
    return any(
        item.type == "PodScheduled" and item.status == "False" and item.reason == "Unschedulable"
        for item in pod.status.conditions
    )


def seconds_between(earlier: str, later: str) -> float:
    """Of two RFC 3339 times; 0 where one is missing."""
    if not earlier or not later:
        return 0.0
    return (datetime.datetime.fromisoformat(later) - datetime.datetime.fromisoformat(earlier)).total_seconds()
