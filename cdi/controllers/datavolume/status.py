"""The status of a DataVolume from what is seen of its worker. Pure: time is a parameter.

    no worker yet      -> ImportScheduled
    worker running     -> ImportInProgress, Running=True
    worker failed      -> held: ImportInProgress, Running=False reason Error (design: failed, held, transient)
    no claim possible  -> phase kept, Bound=False with why (a clone without source, for instance)
    checksum mismatch  -> Failed, reason ChecksumError
    worker succeeded   -> Succeeded, Ready=True

Texts, order of conditions and "N/A" are the contract's: KubeVirt and virtctl read them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum

from msgspec.structs import replace

from cdi.api.datavolume import Condition, DataVolumeStatus, Failure
from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE

_TOO_SMALL = (
    "is larger than the reported available",
    "no space left on device",
    "file largest block is bigger than maxblock",
    "disk quota exceeded",
)
_CODE = re.compile(r"\[([A-Z][A-Za-z0-9]+)\] ")


class WorkerState(Enum):
    ABSENT = "absent"
    RUNNING = "running"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Observation:
    """``message``: the worker's last termination message. ``percent``: None when the worker cannot know.

    ``no_claim``: reason and message of Bound while there can be no claim.
    """

    claim: str
    state: WorkerState
    prefix: str = "Import"  # or Clone: the word in phases and texts
    message: str = ""
    percent: float | None = None
    restarts: int = 0
    attempts: int = 0
    next_attempt: str = ""
    no_claim: tuple[str, str] | None = None


def status_of(seen: Observation, before: DataVolumeStatus, now: str) -> DataVolumeStatus:
    """The whole status; conditions keep their times where nothing changed. ``now``: RFC 3339."""
    phase = before.phase if seen.no_claim else _phase(seen)
    wanted = [_bound(seen), _ready(seen, phase), _running(seen, phase)]
    return DataVolumeStatus(
        claim_name="" if seen.no_claim else seen.claim,
        phase=phase,
        progress=_progress(seen, before),
        restart_count=seen.restarts,
        conditions=[with_times(condition, before, now) for condition in wanted],
        failure=_failure(seen, before, now),
    )


def is_checksum_mismatch(message: str) -> bool:
    return "checksum mismatch" in message


def failure_code(message: str) -> str:
    """The catalogue code that a worker's message carries; empty without one."""
    match = _CODE.search(message)
    return match.group(1) if match else ""


def _phase(seen: Observation) -> Phase:
    match seen.state:
        case WorkerState.ABSENT:
            return Phase(f"{seen.prefix}Scheduled")
        case WorkerState.SUCCEEDED:
            return Phase.SUCCEEDED
        case WorkerState.FAILED if is_checksum_mismatch(seen.message):
            return Phase.FAILED
        case _:
            return Phase(f"{seen.prefix}InProgress")


def _progress(seen: Observation, before: DataVolumeStatus) -> str:
    if seen.state is WorkerState.SUCCEEDED:
        return "100.0%"
    if seen.no_claim:
        return before.progress
    if seen.percent is None:
        return before.progress if seen.state is WorkerState.FAILED and before.progress else "N/A"
    return f"{seen.percent:.2f}%"


def _bound(seen: Observation) -> Condition:
    if seen.no_claim:
        return Condition("Bound", "False", *seen.no_claim)
    return Condition("Bound", "True", "Bound", f"PVC {seen.claim} Bound")


def _ready(seen: Observation, phase: str) -> Condition:
    if seen.no_claim:
        return Condition("Ready", "False", *seen.no_claim)
    if phase == Phase.SUCCEEDED:
        return Condition("Ready", "True")
    return Condition("Ready", "False", "TransferRunning" if seen.state is WorkerState.RUNNING else "")


def _running(seen: Observation, phase: str) -> Condition:
    if seen.no_claim:
        return Condition("Running", "False")
    match seen.state:
        case WorkerState.RUNNING:
            return Condition("Running", "True", "Pod is running")
        case WorkerState.SUCCEEDED:
            return Condition("Running", "False", "Completed", f"{seen.prefix} Complete")
        case WorkerState.FAILED:
            reason = "ChecksumError" if phase == Phase.FAILED else "Error"
            return Condition("Running", "False", reason, shown(seen.message))
        case WorkerState.ABSENT:
            return Condition("Running", "False")


def shown(message: str) -> str:
    """The contract's fixed text for a volume that is too small, in front of what the worker said."""
    if any(text in message for text in _TOO_SMALL):
        return f"DataVolume too small to contain image: {message}"
    return message


def _failure(seen: Observation, before: DataVolumeStatus, now: str) -> Failure | None:
    """It stays while the next attempt runs, which has cured nothing yet: ``since`` is when the first one failed."""
    if seen.state in (WorkerState.RUNNING, WorkerState.ABSENT):
        return before.failure and replace(before.failure, next_attempt="")
    if seen.state is not WorkerState.FAILED:
        return None
    code = failure_code(seen.message) or "Unknown"
    entry = CATALOGUE.get(code)
    since = before.failure.since if before.failure and before.failure.code == code else now
    permanent = entry.permanent if entry else False
    return Failure(code, permanent, since, max(1, seen.attempts), seen.next_attempt, shown(seen.message))


def with_times(condition: Condition, before: DataVolumeStatus, now: str) -> Condition:
    old = next((known for known in before.conditions if known.type == condition.type), None)
    if old is None or old.status != condition.status:
        return _at(condition, now, now)
    if (old.reason, old.message) != (condition.reason, condition.message):
        return _at(condition, old.last_transition_time, now)
    return old


def _at(condition: Condition, transition: str, heartbeat: str) -> Condition:
    condition.last_transition_time = transition
    condition.last_heartbeat_time = heartbeat
    return condition
