"""The whole status of a DataVolume in a cluster. Pure."""

from __future__ import annotations

import msgspec
from msgspec.structs import replace

from cdi.api.datavolume import Condition, DataVolumeStatus, Failure, Provenance, Transfer
from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE
from cdi.controllers import annotations as a
from cdi.controllers.datavolume.conditions import conditions
from cdi.controllers.datavolume.decide import needs_work
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.datavolume.phases import phase_of
from cdi.controllers.datavolume.plan import Hold
from cdi.controllers.datavolume.status import failure_code

_NO_CODE = ("ErrExceededQuota", "ErrStartingPod", "ImagePullFailed", "ChecksumError")


def status_of(seen: Observed, hold: Hold | None = None) -> DataVolumeStatus:
    """``hold``: why there is no claim, where there is none."""
    phase = hold.phase if hold is not None and hold.phase is not None else phase_of(seen)
    found = conditions(seen, phase, hold)
    before = seen.volume.status
    restarts = seen.claim.metadata.annotations.get(a.POD_RESTARTS, "") if seen.claim else ""
    return DataVolumeStatus(
        claim_name=seen.claim.metadata.name if seen.claim else before.claim_name,
        phase=phase,
        progress=_progress(seen, phase),
        restart_count=int(restarts) if restarts.isdecimal() else before.restart_count,
        conditions=found,
        failure=_failure(seen, phase, found[2]),
        transfer=_transfer(seen, phase),
        provenance=_provenance(seen),
    )


def _progress(seen: Observed, phase: str) -> str:
    before = seen.volume.status.progress
    if seen.claim is None:
        return before
    imported = operation_of(seen.volume, seen.referred)[0] is Operation.IMPORT and needs_work(seen, seen.claim)
    if not imported:
        return "N/A"
    if phase == Phase.SUCCEEDED:
        return "100.0%"
    percent = seen.progress.percent if seen.progress else None
    if percent is not None and phase == Phase.IMPORT_IN_PROGRESS:
        return f"{min(percent, 99.99):.2f}%"  # 100 is said when the worker has ended
    return seen.claim.metadata.annotations.get(a.PROGRESS) or before or "N/A"


def _transfer(seen: Observed, phase: str) -> Transfer | None:
    found = seen.progress
    if found is None or phase != Phase.IMPORT_IN_PROGRESS:
        return None
    return Transfer(
        stage=found.stage,
        bytes_done=found.bytes_done,
        bytes_total=found.bytes_total or 0,
        rate_bps=round(found.rate_bps),
        eta_seconds=None if found.eta_seconds is None else round(found.eta_seconds),
        rate=found.rate,
        eta=found.eta,
    )


def _failure(seen: Observed, phase: str, running: Condition) -> Failure | None:
    """It stays while the next attempt runs, which has cured nothing yet: ``since`` is when the first one failed."""
    before = seen.volume.status.failure
    if phase == Phase.SUCCEEDED:
        return None
    code = failure_code(running.message) or (running.reason if running.reason in _NO_CODE else "")
    if not code and running.reason == "Error":
        code = "Unknown"
    if not code or running.status == "True":
        return before and replace(before, next_attempt="")
    entry = CATALOGUE.get(code)
    restarts = seen.claim.metadata.annotations.get(a.POD_RESTARTS, "0") if seen.claim else "0"
    since = before.since if before and before.code == code else seen.now
    attempts = int(restarts) + 1 if restarts.isdecimal() else 1
    again = seen.claim.metadata.annotations.get(a.OWN_NEXT_ATTEMPT, "") if seen.claim else ""
    return Failure(code, entry.permanent if entry else False, since, attempts, again)


def _provenance(seen: Observed) -> Provenance | None:
    written = seen.claim.metadata.annotations.get(a.OWN_PROVENANCE, "") if seen.claim else ""
    try:
        return msgspec.json.decode(written, type=Provenance)
    except msgspec.MsgspecError:  # nothing, or nothing of ours
        return seen.volume.status.provenance
