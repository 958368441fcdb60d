"""What a pod's status says of the work, word by word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import Attempt
from cdi.controllers.population.report import Outcome, report_of
from cdi.kube.pods import Pod

DONE = '{"message": "Import Complete", "preallocationApplied": true}'
MISMATCH = (
    '{"message": "Unable to process data: checksum validation failed: checksum mismatch: expected a, calculated b"}'
)


def pod(state: dict[str, Any] | None = None, last: dict[str, Any] | None = None, **status: Any) -> Pod:
    found: dict[str, Any] = {"phase": "Running"} | status
    if state is not None:
        container = {"name": "importer", "restartCount": 2, "state": state, "lastState": last or {}}
        found["containerStatuses"] = [*status.get("containerStatuses", []), container]
    worker = {"name": "importer", "image": "repo/importer:1", "resources": {"limits": {"memory": "600M"}}}
    spec = {"nodeName": "node-1", "containers": [{"name": "mesh"}, worker]}
    return msgspec.convert({"metadata": {"name": "importer-disk"}, "spec": spec, "status": found}, Pod)


def ended(code: int, message: str = "", reason: str = "") -> dict[str, Any]:
    return {
        "terminated": {"exitCode": code, "message": message, "reason": reason, "finishedAt": "2026-01-01T00:00:00Z"}
    }


def waiting(reason: str) -> dict[str, Any]:
    return {"waiting": {"reason": reason, "message": "back-off"}}


def test_an_end_says_which_version_of_the_source_it_was() -> None:
    said = '{"message": "Import Complete", "source": {"etag": "x", "verified": "md5:1"}, "notes": ["SourceChanged: a"]}'
    report = report_of(pod(ended(0, said)))
    assert report.provenance == '{"etag": "x", "verified": "md5:1"}'
    assert report.notes == ("SourceChanged: a",)


@pytest.mark.parametrize(("delay", "at"), [("10s", "00:00:10"), ("2m40s", "00:02:40"), ("5m0s", "00:05:00")])
def test_the_next_attempt_is_when_the_back_off_of_the_kubelet_ends(delay: str, at: str) -> None:
    message = f"back-off {delay} restarting failed container=importer pod=importer-disk_ns(u1)"
    held = {"waiting": {"reason": "CrashLoopBackOff", "message": message}}
    assert report_of(pod(held, ended(1, "Unable"))).next_attempt == f"2026-01-01T{at}Z"
    assert report_of(pod(ended(1, "Unable"))).next_attempt == ""


@pytest.mark.parametrize(
    "said",
    ['{"message": "a", "notes": null}', '{"message": "\\ud800"}', '{"message": "a", "notes": ["\\udfff: b"]}', "[]"],
)
def test_what_no_worker_of_ours_would_say_is_no_success(said: str) -> None:
    report = report_of(pod(ended(0, said)))
    assert (report.outcome, report.notes) == (Outcome.LOST, ())


ENDS = {
    "succeeded": (pod(ended(0, DONE)), Outcome.SUCCEEDED, "Succeeded", "Completed"),
    "succeeded, then evicted": (pod(ended(0, DONE), phase="Failed"), Outcome.SUCCEEDED, "Succeeded", "Completed"),
    "ended well without a word": (pod(ended(0)), Outcome.LOST, "Failed", "Error"),
    "ended well with a log tail": (pod(ended(0, "bye")), Outcome.LOST, "Failed", "Error"),
    "a number is no message": (pod(ended(0, "7")), Outcome.LOST, "Failed", "Error"),
    "checksum": (pod(ended(0, MISMATCH)), Outcome.FATAL, "Failed", "ChecksumError"),
    "scratch": (
        pod(ended(0, '{"scratchSpaceRequired": true}')),
        Outcome.NEEDS_SCRATCH,
        "Running",
        "Scratch space required",
    ),
    "failed": (pod(ended(1, "Unable")), Outcome.FAILED, "Running", "Error"),
    "in back-off": (pod(waiting("CrashLoopBackOff"), ended(1, "Unable")), Outcome.FAILED, "Running", "Error"),
    "killed": (pod(ended(137, reason="OOMKilled")), Outcome.FAILED, "Running", "Error"),
    "evicted": (pod(phase="Failed", reason="Evicted"), Outcome.LOST, "Failed", "Error"),
    "node is gone": (pod({"running": {}}, phase="Unknown"), Outcome.LOST, "Failed", "Error"),
    "runs": (pod({"running": {}}), Outcome.NONE, "Running", "Pod is running"),
    "no image": (pod(waiting("ErrImagePull"), phase="Pending"), Outcome.NONE, "Pending", "ImagePullFailed"),
    "not placed": (pod(phase="Pending"), Outcome.NONE, "Pending", ""),
}


@pytest.mark.parametrize("case", ENDS)
def test_the_end_of_a_worker(case: str) -> None:
    found, outcome, phase, reason = ENDS[case]
    report = report_of(found)
    assert (report.outcome, report.phase, report.reason) == (outcome, phase, reason)


def test_an_attempt_that_has_ended_is_known_by_its_times_its_node_and_its_outcome() -> None:
    done = '{"message": "Import Complete", "bytesDone": 7}'
    at = "2026-01-01T00:00:00Z"
    assert report_of(pod(ended(0, done))).attempt == Attempt(end=at, outcome="Succeeded", node="node-1", bytes_done=7)
    said = "Unable to connect: [SourceNotFound] x. Try: y"
    again = report_of(pod({"running": {}}, ended(1, said))).attempt  # the next one runs already
    assert again == Attempt(end=at, outcome="SourceNotFound", node="node-1")
    outcomes = {case: report_of(found[0]).attempt for case, found in ENDS.items()}
    assert {case: attempt.outcome if attempt else None for case, attempt in outcomes.items()} == {
        "succeeded": "Succeeded",
        "succeeded, then evicted": "Succeeded",
        "ended well without a word": "exit code 0",
        "ended well with a log tail": "exit code 0",
        "a number is no message": "exit code 0",
        "checksum": "ChecksumMismatch",
        "scratch": "ScratchRequired",
        "failed": "exit code 1",
        "in back-off": "exit code 1",
        "killed": "WorkerOutOfMemory",
        "evicted": "WorkerEvicted",
        "node is gone": "lost",
        "runs": None,
        "no image": None,
        "not placed": None,
    }


def test_the_last_end_stays_in_view_while_the_kubelet_waits() -> None:
    report = report_of(pod(waiting("CrashLoopBackOff"), ended(1, "Unable to connect")))
    assert (report.running, report.message, report.restarts) == (False, "Unable to connect", 2)


def test_a_killed_worker_says_by_what() -> None:
    message = report_of(pod(ended(137, reason="OOMKilled"))).message
    assert message.startswith("the worker was stopped: OOMKilled, exit code 137 [WorkerOutOfMemory] ")
    assert "more than the 600M of memory" in message
    assert " Try: raise limits.memory" in message
    killed = report_of(pod(ended(137, reason="Error"))).message
    assert killed.startswith("[WorkerKilled] the worker ended with exit code 137 (Error) and left no message. ")


@pytest.mark.parametrize(
    "log",
    [
        '246720,"bytesTotal":1073741824,"percent":10.55\n{"stage": "Fetching", "percent": 10.60}\n',
        "Traceback (most recent call last):\nKeyError: https://h/x?X-Amz-Signature=hush\n",
        '{"stage": "Fetching"}',
    ],
)
def test_the_end_of_a_log_is_no_last_word(log: str) -> None:
    """The kubelet takes it where a worker left none; a status is read by everybody."""
    message = report_of(pod(ended(1, log, "Error"))).message
    assert message.startswith("[WorkerKilled] the worker ended with exit code 1 (Error) and left no message. ")


def test_a_worker_that_its_node_cannot_start_says_what_is_missing() -> None:
    stuck = {"waiting": {"reason": "CreateContainerConfigError", "message": 'secret "nope" not found'}}
    report = report_of(pod(stuck, phase="Pending"))
    assert (report.running, report.reason) == (False, "CreateContainerConfigError")
    assert report.message.startswith('[WorkerCannotStart] the node cannot start the worker: secret "nope" not found. ')


def test_an_evicted_worker_says_from_where_and_why() -> None:
    message = report_of(pod(phase="Failed", reason="Evicted", message="The node was low on resource: memory")).message
    assert message.startswith("the worker ended without a result: Evicted [WorkerEvicted] the node node-1 evicted ")
    assert "The node was low on resource: memory. " in message


def test_an_image_that_cannot_be_had_is_named() -> None:
    report = report_of(pod(waiting("ImagePullBackOff"), phase="Pending"))
    assert report.message.startswith("failed to pull image: repo/importer:1 [ImagePullFailed] ")
    assert " Try: " in report.message


def test_the_worker_is_found_behind_what_a_mesh_injected() -> None:
    sidecar = {"name": "agent", "state": {"running": {}}}
    assert report_of(pod(ended(0, DONE), containerStatuses=[sidecar])).outcome is Outcome.SUCCEEDED


def test_preallocation_is_reported() -> None:
    assert report_of(pod(ended(0, DONE))).preallocated


@pytest.mark.parametrize(("code", "permanent"), [("SourceNotFound", True), ("SourceUnavailable", False)])
def test_the_code_in_the_message_says_whether_it_is_worth_another_attempt(code: str, permanent: bool) -> None:
    assert report_of(pod(ended(1, f"Unable to connect: [{code}] x. Try: y"))).is_permanent is permanent


def test_a_pod_that_fits_nowhere_says_so() -> None:
    placed = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
    assert not report_of(pod(phase="Pending", conditions=[placed])).schedulable
