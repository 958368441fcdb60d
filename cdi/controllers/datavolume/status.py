"""The whole status of a DataVolume, in a cluster and on one machine. Pure."""

from __future__ import annotations

from msgspec.structs import replace

from cdi.api.datavolume import Attempt, Clone, Condition, DataVolumeStatus, Failure, Provenance, Transfer
from cdi.api.phase import Phase
from cdi.base.faults import CATALOGUE, Fault
from cdi.base.moments import moment
from cdi.base.printable import excerpt
from cdi.base.units import human_duration, human_size
from cdi.base.wire.progress import ProgressLine
from cdi.contract import annotations as a
from cdi.contract.failures import failure_code
from cdi.controllers.claims.clone_record import recorded
from cdi.controllers.claims.history import attempts_in
from cdi.controllers.datavolume.belonging import needs_work
from cdi.controllers.datavolume.conditions import MESSAGE, conditions
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.operation import Operation, operation_of
from cdi.controllers.datavolume.phases import phase_of
from cdi.controllers.datavolume.plan import Hold
from cdi.kube.decoding import told
from cdi.sources.request import asked_of, parameters_of

_PROVENANCE_CHARACTERS = 1 << 14
_PROGRESS_CHARACTERS = 16  # 100.0%
_LONGEST_S = 30 * 86400  # that is told as the time that is left
_FLOWING = (Phase.IMPORT_IN_PROGRESS, Phase.CLONE_IN_PROGRESS)
_NO_CODE = ("ErrExceededQuota", "ErrStartingPod", "ImagePullFailed", "ChecksumError")


def status_of(seen: Observed, hold: Hold | None = None) -> DataVolumeStatus:
    """``hold``: why there is no claim, where there is none."""
    phase = hold.phase if hold is not None and hold.phase is not None else phase_of(seen)
    found = conditions(seen, phase, hold)
    before = seen.volume.status
    restarts = seen.claim.metadata.annotations.get(a.POD_RESTARTS) if seen.claim else None
    return DataVolumeStatus(
        claim_name=seen.claim.metadata.name if seen.claim else before.claim_name,
        phase=phase,
        progress=_progress(seen, phase),
        restart_count=before.restart_count if restarts is None else a.count(restarts),
        conditions=found,
        failure=_failure(seen, phase, found[2], hold),
        transfer=_transfer(seen, phase),
        provenance=_provenance(seen),
        history=_history(seen),
        clone=hold.clone if hold is not None and hold.clone is not None else _clone(seen),
    )


def _progress(seen: Observed, phase: str) -> str:
    before = seen.volume.status.progress
    stays_over = phase == Phase.SUCCEEDED and seen.volume.status.phase == Phase.SUCCEEDED and before
    if seen.claim is None or stays_over:
        return before
    operation, _ = operation_of(seen.volume)
    work = seen.work
    is_silent = work is not None and not work.tells_progress
    if is_silent or operation in (Operation.NONE, Operation.EXTERNAL) or not needs_work(seen, seen.claim):
        return "N/A"
    if work is None and operation is Operation.UNSERVED and phase != Phase.SUCCEEDED:
        return before or "N/A"
    if phase == Phase.SUCCEEDED:
        return "100.0%"
    percent = seen.progress.percent if seen.progress else None
    if percent is not None and phase in _FLOWING:
        return f"{min(percent, 99.99):.2f}%"  # 100 is said when the worker has ended
    said = seen.claim.metadata.annotations.get(a.PROGRESS, "")
    return (said if len(said) < _PROGRESS_CHARACTERS else "") or before or "N/A"


def _transfer(seen: Observed, phase: str) -> Transfer | None:
    """While the worker runs: of one that has failed, rate and remaining time say nothing."""
    found = seen.progress
    running = seen.claim is not None and seen.claim.metadata.annotations.get(a.RUNNING) == "true"
    if found is None or phase not in _FLOWING or not running:
        return None
    remaining = _remaining_s(found)
    return Transfer(
        stage=found.stage,
        bytes_done=found.bytes_done,
        bytes_total=found.bytes_total or 0,
        rate_bps=round(found.rate_bps),
        eta_seconds=remaining,
        rate=f"{human_size(found.rate_bps)}/s" if found.rate_bps else "",
        eta=human_duration(remaining) if remaining is not None else "",
    )


def _remaining_s(line: ProgressLine) -> int | None:
    """None while nobody can say: what stalls would take for ever."""
    eta = line.eta_seconds
    return round(eta) if eta is not None and 0 <= eta <= _LONGEST_S else None


def _failure(seen: Observed, phase: str, running: Condition, hold: Hold | None) -> Failure | None:
    """It stays while the next attempt has cured nothing yet: ``since`` is when the first one failed."""
    before = seen.volume.status.failure
    if hold is not None and hold.fault is not None:
        return _told(seen, hold.fault.code, hold.fault.message)
    if phase == Phase.SUCCEEDED or _is_of_a_former_source(seen) or _flows(seen, running):
        return None
    if missing := _missing_class(seen):
        return _told(seen, missing.code, missing.message)
    code = failure_code(running.message) or (running.reason if running.reason in _NO_CODE else "")
    if not code and running.reason == "Error":
        code = "Unknown"
    if not code or running.status == "True":
        return before and replace(before, next_attempt="")
    return _told(seen, code, running.message)


def _missing_class(seen: Observed) -> Fault | None:
    """The class that a claim names is not there, and the cluster has complained: volumes may be of a class without an
    object, and then the claim is bound."""
    claim = seen.claim
    if claim is None or claim.status.phase != "Pending" or seen.storage_class is not None:
        return None
    name, complaint = claim.spec.storage_class_name, claim.metadata.annotations.get(a.BOUND_MESSAGE, "")
    if not name or not complaint:
        return None
    return Fault("StorageClassUnknown", contract=complaint, name=name, hint="")


def _told(seen: Observed, code: str, message: str) -> Failure:
    before, entry = seen.volume.status.failure, CATALOGUE.get(code)
    annotations = seen.claim.metadata.annotations if seen.claim else {}
    next_attempt = annotations.get(a.OWN_NEXT_ATTEMPT, "")
    return Failure(
        code=code,
        permanent=entry.permanent if entry else False,
        since=before.since if before and before.code == code else seen.now,
        attempts=a.count(annotations.get(a.POD_RESTARTS, "")) + 1,
        next_attempt=next_attempt if moment(next_attempt) else "",
        message=excerpt(message, MESSAGE),
        generation=seen.volume.metadata.generation,
    )


def _flows(seen: Observed, running: Condition) -> bool:
    """Data comes in: whatever was in the way is gone."""
    return running.status == "True" and seen.progress is not None and seen.progress.rate_bps > 0


def _is_of_a_former_source(seen: Observed) -> bool:
    """Whether what the claim says is of a worker of another source, which has been corrected since."""
    source = seen.volume.spec.source
    if seen.claim is None or source is None:
        return False
    annotations = seen.claim.metadata.annotations
    kept = {key: annotations.get(key, "") for key in (a.CONTENT_TYPE, a.PREALLOCATION_REQUESTED)}
    asked = parameters_of(kept | asked_of(source, seen.volume.metadata.annotations))
    reported = annotations.get(a.OWN_DIGEST)
    return bool(reported) and asked is not None and asked.digest != reported


def _clone(seen: Observed) -> Clone | None:
    written = seen.claim.metadata.annotations.get(a.OWN_CLONE_PLAN, "") if seen.claim else ""
    before = seen.volume.status.clone
    return recorded(written) or (before if before is not None and before.method else None)  # a refusal passes


def _history(seen: Observed) -> list[Attempt]:
    written = seen.claim.metadata.annotations.get(a.OWN_HISTORY) if seen.claim else None
    return attempts_in(written) if written else seen.volume.status.history


def _provenance(seen: Observed) -> Provenance | None:
    written = seen.claim.metadata.annotations.get(a.OWN_PROVENANCE, "") if seen.claim else ""
    return told(Provenance, written, _PROVENANCE_CHARACTERS) or seen.volume.status.provenance
