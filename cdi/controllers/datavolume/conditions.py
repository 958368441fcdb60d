"""Bound, Ready and Running, read off the claim. Pure. Texts and rules are the contract's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cdi.api.datavolume import Condition, DataVolumeStatus
from cdi.api.phase import Phase
from cdi.base.printable import excerpt
from cdi.contract import annotations as a
from cdi.contract.failures import NEEDS_SCRATCH_REASON, shown
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import Emit, Hold
from cdi.kube.storage import PersistentVolumeClaim

# After the contract's text: of all waits the one that looks most like a hang.
_CONSUMER = (
    ": storage class {storage_class} makes a volume where the first pod that uses it runs (WaitForFirstConsumer). "
    "Try: start the VM or pod"
)
_REASON, MESSAGE = 256, 8192  # characters; a worker's last words have 4096, and an annotation may have anything
_AT_ONCE = f", or annotate the DataVolume with {a.IMMEDIATE}=true"


def conditions(seen: Observed, phase: str, hold: Hold | None) -> list[Condition]:
    """In the contract's order; times stay where nothing changed."""
    running = _running(seen.claim)
    wanted = [_bound(seen, phase, hold), _ready(phase, running, hold), running]
    for item in wanted:
        item.reason, item.message = excerpt(item.reason, _REASON), excerpt(item.message, MESSAGE)
    return [_with_times(item, seen.volume.status, seen.now) for item in wanted]


def condition_events(before: Sequence[Condition], after: Sequence[Condition]) -> list[Emit]:
    """What people learn of a change: of Bound always, of Running when the worker has come to grief."""
    found: list[Emit] = []
    known = {item.type: (item.status, item.reason, item.message) for item in before}
    bound, ready, running = after
    is_new = known.get("Bound") != (bound.status, bound.reason, bound.message)
    if is_new and not bound.reason.startswith("Err"):  # of those, a warning is told already
        found.append(Emit("Normal", bound.reason, bound.message))
    grieves = ready.status == "False" and running.status == "False" and running.message
    changed = known.get("Running", ("", "", ""))[2] != running.message
    if grieves and changed and running.reason != NEEDS_SCRATCH_REASON:
        found.append(Emit("Warning", running.reason, running.message))
    return found


def _bound(seen: Observed, phase: str, hold: Hold | None) -> Condition:
    claim = seen.claim
    if claim is None:
        held = hold or Hold("NotFound", "No PVC found")
        return Condition("Bound", "False", held.reason, held.message)
    name = claim.metadata.name
    if claim.status.phase == "Lost":
        return Condition("Bound", "False", "ClaimLost", "Claim Lost")
    if claim.metadata.annotations.get(a.BOUND, "true") != "true":
        return _refused(claim)
    if claim.status.phase == "Bound":
        return Condition("Bound", "True", "Bound", f"PVC {name} Bound")
    waiting = f"PVC {name} Pending"
    if phase in (Phase.WAIT_FOR_FIRST_CONSUMER, Phase.PENDING_POPULATION) and seen.storage_class is not None:
        waiting += _CONSUMER.format(storage_class=seen.storage_class.metadata.name)
        waiting += _AT_ONCE if seen.work is not None else ""
    return Condition("Bound", "False", "Pending", waiting)


def _refused(claim: PersistentVolumeClaim) -> Condition:
    annotations = claim.metadata.annotations
    reason, message = annotations.get(a.BOUND_REASON, ""), annotations.get(a.BOUND_MESSAGE, "")
    if claim.status.phase == "Bound":
        return Condition("Bound", "False", reason, message)
    prime = annotations.get(a.PRIME)
    waiting = f"target PVC {claim.metadata.name} Pending and" + (f" [{prime}] :" if prime else "")
    return Condition("Bound", "False", reason, f"{waiting} {message}")


def _ready(phase: str, running: Condition, hold: Hold | None) -> Condition:
    if phase == Phase.SUCCEEDED:
        return Condition("Ready", "True")
    if running.status == "True":
        return Condition("Ready", "False", "TransferRunning")
    if hold is not None and hold.ready:
        return Condition("Ready", "False", hold.reason, hold.message)
    return Condition("Ready", "Unknown" if phase == Phase.UNKNOWN else "False")


def _running(claim: PersistentVolumeClaim | None) -> Condition:
    annotations = claim.metadata.annotations if claim else {}
    if annotations.get(a.POD_SCHEDULABLE) == "false":
        return Condition("Running", "False", "Unschedulable", "Importer pod cannot be scheduled")
    target = _said(annotations, a.RUNNING, a.RUNNING_REASON, a.RUNNING_MESSAGE)
    source = _said(annotations, a.SOURCE_RUNNING, a.SOURCE_RUNNING_REASON, a.SOURCE_RUNNING_MESSAGE)
    if a.RUNNING not in annotations or a.SOURCE_RUNNING not in annotations or target.status == "Unknown":
        return target
    if target.status == "True":
        return target if source.status == "True" else source
    if source.status == "True":
        return target
    told = ((target.reason, source.reason), (target.message, source.message))
    both = [" and ".join(text for text in texts if text) for texts in told]
    return Condition("Running", source.status, *both)


def _said(annotations: Mapping[str, str], key: str, reason: str, message: str) -> Condition:
    """By one of the two pods of a copy, or by the only pod."""
    status = {"true": "True", "false": "False"}.get(annotations.get(key, "false"), "Unknown")
    text = annotations.get(message, "")
    return Condition("Running", status, annotations.get(reason, ""), shown(text) if status == "False" else text)


def _with_times(condition: Condition, before: DataVolumeStatus, now: str) -> Condition:
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
