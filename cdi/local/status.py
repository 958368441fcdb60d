"""The status of a volume on one machine, by the same function as in a cluster. Pure.

What is seen of a worker is put the way the population controller tells it on a claim, from which a DataVolume's status
is read off:

    no worker yet      -> Pending
    worker running     -> Running
    worker failed      -> Running, and held with what it said
    checksum mismatch  -> Failed, for good
    worker succeeded   -> Succeeded
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.contract import annotations as a
from cdi.contract.failures import is_checksum_mismatch
from cdi.controllers.datavolume import status
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import Hold
from cdi.kube.objects import Metadata, OwnerReference
from cdi.kube.storage import ClaimStatus, PersistentVolumeClaim


class WorkerState(Enum):
    ABSENT = "absent"
    RUNNING = "running"
    FAILED = "failed"
    SUCCEEDED = "succeeded"


@dataclass(frozen=True, slots=True)
class Sighting:
    """``message``: the worker's last termination message. ``percent``: None when the worker cannot know.

    ``hold``: why there can be no claim, where there can be none.
    """

    state: WorkerState
    message: str = ""
    percent: float | None = None
    attempts: int = 0
    next_attempt: str = ""
    hold: Hold | None = None


def status_of(volume: DataVolume, seen: Sighting, now: str) -> DataVolumeStatus:
    """The whole status; conditions keep their times where nothing changed. ``now``: RFC 3339."""
    if seen.hold is None:
        return status.status_of(Observed(volume, _claim(volume, seen), now=now))
    found = status.status_of(Observed(volume, now=now), seen.hold)
    found.claim_name = ""  # of an earlier run, before what it needs was taken away
    if found.failure is not None:  # no claim tells of the attempts
        found.failure.attempts, found.failure.next_attempt = max(1, seen.attempts), seen.next_attempt
    return found


def _claim(volume: DataVolume, seen: Sighting) -> PersistentVolumeClaim:
    """Ours, bound, and with the outputs of a worker."""
    uid = volume.metadata.uid
    annotations = {
        a.CREATED_FOR: uid,
        a.POD_RESTARTS: str(max(0, seen.attempts - 1)),
        a.OWN_NEXT_ATTEMPT: seen.next_attempt,
        **_outputs(volume, seen),
    }
    percent = "N/A" if seen.percent is None else f"{seen.percent:.2f}%"
    if seen.percent is not None or seen.state is not WorkerState.FAILED:  # else it stays where it was
        annotations[a.PROGRESS] = percent
    owner = OwnerReference(kind="DataVolume", name=volume.metadata.name, uid=uid, controller=True)
    metadata = Metadata(name=volume.metadata.name, annotations=annotations, owner_references=[owner])
    return PersistentVolumeClaim(metadata=metadata, status=ClaimStatus(phase="Bound"))


def _outputs(volume: DataVolume, seen: Sighting) -> dict[str, str]:
    match seen.state:
        case WorkerState.ABSENT:
            return {a.POD_PHASE: "Pending", a.RUNNING: "false"}
        case WorkerState.RUNNING:
            return {a.POD_PHASE: "Running", a.RUNNING: "true", a.RUNNING_REASON: "Pod is running"}
        case WorkerState.SUCCEEDED:
            source = volume.spec.source
            done = "Clone Complete" if source is not None and source.pvc is not None else "Import Complete"
            return {
                a.POD_PHASE: "Succeeded",
                a.RUNNING: "false",
                a.RUNNING_REASON: "Completed",
                a.RUNNING_MESSAGE: done,
            }
        case WorkerState.FAILED:
            told = {a.RUNNING: "false", a.RUNNING_MESSAGE: seen.message}
            if is_checksum_mismatch(seen.message):
                return {**told, a.POD_PHASE: "Failed", a.FATAL: "true", a.RUNNING_REASON: "ChecksumError"}
            return {**told, a.POD_PHASE: "Running", a.RUNNING_REASON: "Error"}
