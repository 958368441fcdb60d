"""The outputs of a clone on its target claim, in the contract's words. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from cdi.api.datavolume import KIND as DATA_VOLUME
from cdi.contract import annotations as a
from cdi.controllers.population import outputs
from cdi.controllers.population.outputs import Outputs
from cdi.controllers.population.plan import Refusal
from cdi.kube.storage import PersistentVolumeClaim

PENDING, ERROR, SUCCEEDED = "Pending", "Error", "Succeeded"
SNAPSHOT, SNAPSHOT_CLONE, CSI_CLONE = "Snapshot", "SnapshotClone", "CSIClone"
PREP_CLAIM, HOST_CLONE, REBIND = "PrepClaim", "HostClone", "Rebind"

_OF_CLONES = (a.CLONE_TYPE, a.CLONE_OF)  # outputs of a clone, and people's wishes elsewhere
_FROM_WORKER = (a.POD_RESTARTS, a.PREALLOCATION, a.CLONE_OF, a.OWN_HISTORY)  # to the target, while a pod copies


def outputs_of(target: PersistentVolumeClaim) -> Outputs:
    annotations = target.metadata.annotations
    return outputs.outputs_of(target) | {key: annotations[key] for key in _OF_CLONES if key in annotations}


def in_phase(target: PersistentVolumeClaim, before: Outputs, phase: str) -> Outputs:
    after = {key: value for key, value in before.items() if key != a.CLONE_ERROR} | {a.CLONE_PHASE: phase}
    if phase == PENDING and a.RUNNING not in before:
        return after  # nothing has begun, so nothing is said of it
    words = {
        PENDING: (False, "Pending", "Clone Pending"),
        SUCCEEDED: (False, "Completed", "Clone Complete"),
    }.get(phase, (True, "Populator is running", ""))
    if phase == SUCCEEDED:
        after[a.PROGRESS] = "100.0%"
    return after | _running(target, *words)


def failed(target: PersistentVolumeClaim, before: Mapping[str, str], text: str) -> Outputs:
    """It stays so until something changes."""
    return {**before, a.CLONE_PHASE: ERROR, a.CLONE_ERROR: text} | _running(target, False, "Error", text)


def copying(
    target: PersistentVolumeClaim, before: Outputs, worker: Mapping[str, str], percent: float | None
) -> Outputs:
    """``worker``: the outputs of the claim that a pod copies into."""
    after = in_phase(target, before, HOST_CLONE)
    after |= {key: worker[key] for key in _FROM_WORKER if key in worker}
    if percent is not None:
        after[a.PROGRESS] = f"{min(percent, 99.99):.2f}%"
    if a.RUNNING not in worker or a.RUNNING not in after:
        return after
    keys = (a.RUNNING, a.RUNNING_REASON, a.RUNNING_MESSAGE)
    return after | {key: worker[key] for key in keys if key in worker}


def refused(target: PersistentVolumeClaim, cause: str) -> Refusal:
    """The API server refuses what is needed, for ``cause``."""
    reason = "ErrExceededQuota" if "exceeded quota" in cause else "CloneObjectRefused"
    return Refusal(reason, cause, failed(target, {}, cause))


def _running(target: PersistentVolumeClaim, state: bool, reason: str, message: str) -> Outputs:
    """Said where there is a DataVolume to tell of it."""
    is_owned = any(owner.kind == DATA_VOLUME for owner in target.metadata.owner_references)
    return outputs.running(state, reason, message) if is_owned else {}
