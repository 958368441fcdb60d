"""What differs between the operations for which a worker of ours fills the volume. Words are the contract's. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.api.populators import IMPORT_KIND, UPLOAD_KIND
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.datavolume.operation import Operation, operation_of

Event = tuple[str, str, str]  # type, reason and text, with {name} for the claim


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
CLONING = Work(pod_name=a.UPLOAD_POD_NAME, scheduled=Phase.CLONE_SCHEDULED, working=Phase.CLONE_IN_PROGRESS)
_FILLINGS = {Operation.IMPORT: _IMPORT, Operation.UPLOAD: _UPLOAD}


def filling_of(volume: DataVolume) -> Filling | None:
    """None: nothing that we fill, or not yet known."""
    return _FILLINGS.get(operation_of(volume, None)[0])
