"""The status of a DataVolume from what is seen of its worker."""

from __future__ import annotations

import msgspec
import pytest

from cdi.api.datavolume import DataVolume, DataVolumeStatus
from cdi.base.faults import Fault
from cdi.contract.failures import failure_code
from cdi.controllers.datavolume.plan import Hold
from cdi.local.status import Sighting, WorkerState, status_of

NOT_FOUND = "Unable to connect to http data source: expected status code 200, got 404 [SourceNotFound] GET x. Try: y."
MISMATCH = "Unable to process data: checksum validation failed: checksum mismatch: expected a:x, calculated a:y"


IMPORT = {"http": {"url": "http://x/disk.img"}}
CLONE = {"pvc": {"namespace": "default", "name": "other"}}


def volume(source: object = IMPORT, before: DataVolumeStatus | None = None) -> DataVolume:
    metadata = {"name": "disk", "namespace": "default", "uid": "1"}
    made = msgspec.convert({"metadata": metadata, "spec": {"source": source}}, DataVolume)
    made.status = before or DataVolumeStatus()
    return made


def seen(state: WorkerState, source: object = IMPORT, **fields: object) -> DataVolumeStatus:
    return status_of(volume(source), Sighting(state, **fields), "T1")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("status", "phase", "progress"),
    [
        (seen(WorkerState.ABSENT), "ImportScheduled", "N/A"),
        (seen(WorkerState.RUNNING, percent=12.345), "ImportInProgress", "12.35%"),
        (seen(WorkerState.RUNNING), "ImportInProgress", "N/A"),
        (seen(WorkerState.FAILED, message=NOT_FOUND), "ImportInProgress", "N/A"),
        (seen(WorkerState.FAILED, message=MISMATCH), "Failed", "N/A"),
        (seen(WorkerState.SUCCEEDED), "Succeeded", "100.0%"),
        (seen(WorkerState.RUNNING, CLONE), "CloneInProgress", "N/A"),
    ],
)
def test_phase_and_progress_follow_the_worker(status: DataVolumeStatus, phase: str, progress: str) -> None:
    assert (status.phase, status.progress) == (phase, progress)


def test_conditions_stand_in_the_contract_s_order_with_its_texts() -> None:
    found = [(item.type, item.status, item.reason, item.message) for item in seen(WorkerState.SUCCEEDED).conditions]
    assert found == [
        ("Bound", "True", "Bound", "PVC disk Bound"),
        ("Ready", "True", "", ""),
        ("Running", "False", "Completed", "Import Complete"),
    ]


def test_a_held_import_says_why_under_reason_error() -> None:
    status = seen(WorkerState.FAILED, message=NOT_FOUND, attempts=3)
    ready, running = status.conditions[1:]
    assert (ready.status, ready.reason) == ("False", "")
    assert (running.status, running.reason, running.message) == ("False", "Error", NOT_FOUND)
    assert status.failure is not None
    assert (status.failure.code, status.failure.permanent, status.failure.attempts) == ("SourceNotFound", True, 3)


def test_too_small_a_volume_has_the_contract_s_sentence_first() -> None:
    message = "virtual image size 5 is larger than the reported available storage 4. [TargetTooSmall] ..."
    assert (
        seen(WorkerState.FAILED, message=message)
        .conditions[2]
        .message.startswith("DataVolume too small to contain image")
    )


def test_times_move_only_with_what_they_tell() -> None:
    first = seen(WorkerState.FAILED, message="a")
    same = status_of(volume(before=first), Sighting(WorkerState.FAILED, message="a"), "T2")
    assert same.conditions == first.conditions
    said = status_of(volume(before=first), Sighting(WorkerState.FAILED, message="b"), "T2").conditions[2]
    assert (said.last_transition_time, said.last_heartbeat_time) == ("T1", "T2")
    ran = status_of(volume(before=first), Sighting(WorkerState.RUNNING), "T2").conditions[2]
    assert (ran.last_transition_time, ran.last_heartbeat_time) == ("T2", "T2")


def test_a_clone_without_source_says_why_and_when_it_is_tried_again() -> None:
    fault = Fault("CloneSourceMissing", contract="The source pvc other doesn't exist", source="default/other")
    hold = Hold("CloneWithoutSource", fault.message, "", fault=fault)
    status = seen(WorkerState.FAILED, CLONE, message=fault.message, attempts=2, next_attempt="T9", hold=hold)
    bound, ready, running = status.conditions
    assert (bound.reason, ready.reason, running.reason) == ("CloneWithoutSource", "CloneWithoutSource", "")
    assert (status.claim_name, status.phase) == ("", "")
    assert status.failure is not None
    assert (status.failure.code, status.failure.attempts, status.failure.next_attempt) == (
        "CloneSourceMissing",
        2,
        "T9",
    )


def test_the_code_is_read_from_its_brackets() -> None:
    assert failure_code(NOT_FOUND) == "SourceNotFound"
    assert failure_code("no code [here]") == ""
