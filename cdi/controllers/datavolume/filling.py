"""What differs between the operations for which a worker of ours fills the volume. Words are the contract's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.api.populators import CLONE_KIND, IMPORT_KIND, UPLOAD_KIND
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.datavolume.operation import Operation, operation_of

Event = tuple[str, str, str]  # type, reason, and text with {name} of the claim; of clones {place}, {source}, {kind}


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """What is done to a volume, in the words of its status. ``pod_name``: the annotation that names the worker.
    ``scheduled``, ``working``: phases. ``waits_for_readiness``: it works when its worker is ready, not when it runs.
    ``tells_progress``: in percent."""

    pod_name: str
    scheduled: Phase
    working: Phase
    waits_for_readiness: bool = False
    tells_progress: bool = True

    def works(self, annotations: Mapping[str, str]) -> bool:
        """``annotations``: of a claim whose worker runs."""
        return not self.waits_for_readiness or annotations.get(a.POD_READY) == "true"


@dataclass(frozen=True, slots=True, kw_only=True)
class Filling(Work):
    """``source_kind``: of the object beside the claim where a populator fills it, named after ``source_prefix`` and the
    DataVolume's uid. ``worker_name``: of the pod, from the name of the claim that it fills. ``failed``: the event in
    place of that of a phase."""

    source_kind: str
    source_prefix: str
    worker_name: Callable[[str], str]
    events: Mapping[Phase, Event]
    failed: Event

    def source_name(self, uid: str) -> str:
        """``uid``: of the DataVolume."""
        return f"{self.source_prefix}-{uid}"


def _cloning(phase: Phase, text: str) -> Event:
    return "Normal", phase.value, text


_IMPORT = Filling(
    source_kind=IMPORT_KIND,
    source_prefix="volume-import-source",
    pod_name=a.POD_NAME,
    scheduled=Phase.IMPORT_SCHEDULED,
    working=Phase.IMPORT_IN_PROGRESS,
    worker_name=names.importer,
    events={
        Phase.IMPORT_SCHEDULED: ("Normal", "ImportScheduled", "Import into {name} scheduled"),
        Phase.IMPORT_IN_PROGRESS: ("Normal", "ImportInProgress", "Import into {name} in progress"),
        Phase.SUCCEEDED: ("Normal", "ImportSucceeded", "Successfully imported into PVC {name}"),
    },
    failed=("Warning", "ImportFailed", "Failed to import into PVC {name}"),
)
_UPLOAD = Filling(
    source_kind=UPLOAD_KIND,
    source_prefix="volume-upload-source",
    pod_name=a.UPLOAD_POD_NAME,
    scheduled=Phase.UPLOAD_SCHEDULED,
    working=Phase.UPLOAD_READY,
    worker_name=names.upload,
    events={
        Phase.UPLOAD_SCHEDULED: ("Normal", "UploadScheduled", "Upload into {name} scheduled"),
        Phase.UPLOAD_READY: ("Normal", "UploadReady", "Upload into {name} ready"),
        Phase.SUCCEEDED: ("Normal", "UploadSucceeded", "Successfully uploaded into {name}"),
    },
    failed=("Warning", "UploadFailed", "Upload into {name} failed"),
    waits_for_readiness=True,
    tells_progress=False,
)
_CLONE = Filling(
    source_kind=CLONE_KIND,
    source_prefix="volume-clone-source",
    pod_name=a.CLONE_REQUEST,  # two pods fill it, and this asks for them
    scheduled=Phase.CLONE_SCHEDULED,
    working=Phase.CLONE_IN_PROGRESS,
    worker_name=names.upload,
    events={
        Phase.CLONE_SCHEDULED: _cloning(Phase.CLONE_SCHEDULED, "Cloning from {source} into {place} scheduled"),
        Phase.SNAPSHOT_FOR_SMART_CLONE_IN_PROGRESS: _cloning(
            Phase.SNAPSHOT_FOR_SMART_CLONE_IN_PROGRESS,
            "Creating snapshot for smart-clone is in progress (for pvc {source})",
        ),
        Phase.CLONE_FROM_SNAPSHOT_SOURCE_IN_PROGRESS: _cloning(
            Phase.CLONE_FROM_SNAPSHOT_SOURCE_IN_PROGRESS,
            "Creating PVC from snapshot source is in progress (for {kind} {source})",
        ),
        Phase.CSI_CLONE_IN_PROGRESS: _cloning(
            Phase.CSI_CLONE_IN_PROGRESS, "CSI Volume clone in progress (for pvc {source})"
        ),
        Phase.CLONE_IN_PROGRESS: _cloning(Phase.CLONE_IN_PROGRESS, "Cloning from {source} into {place} in progress"),
        Phase.PREP_CLAIM_IN_PROGRESS: _cloning(
            Phase.PREP_CLAIM_IN_PROGRESS, "Prepping PersistentVolumeClaim for DataVolume {place}"
        ),
        Phase.REBIND_IN_PROGRESS: _cloning(
            Phase.REBIND_IN_PROGRESS, "Rebinding PersistentVolumeClaim for DataVolume {place}"
        ),
        Phase.SUCCEEDED: ("Normal", "CloneSucceeded", "Successfully cloned from {source} into {place}"),
    },
    failed=("Warning", "CloneFailed", "Cloning from {source} into {place} failed"),
)
_FILLINGS = {Operation.IMPORT: _IMPORT, Operation.UPLOAD: _UPLOAD, Operation.CLONE: _CLONE}


def filling_of(volume: DataVolume) -> Filling | None:
    """None: nothing that we fill."""
    return _FILLINGS.get(operation_of(volume)[0])
