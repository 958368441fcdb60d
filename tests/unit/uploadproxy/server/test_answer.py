"""Which status and words a failed upload has."""

from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.target import too_small
from uploadproxy.server.answer import Answer, cause_of, failed

LOST = Fault("UploadBroken", source="the upload", got="5", cause="reset")


def broken_by(cause: Exception) -> Fault:
    fault = Fault("UploadBroken", source="the upload", got="5", cause=str(cause))
    fault.__cause__ = cause
    return fault


STALLED = Fault("UploadStalled", got="5", seconds="60", least="65,536")
FORMLESS = Fault("UploadMalformed", cause="no form")
FAULTS = [
    (too_small(10, 5), 400, True),
    (Fault("NoSpace", target="/data", offset=5, cause="full"), 400, True),
    (Fault("TargetOutgrown", source="the upload", limit="5"), 400, True),
    (Fault("NotADiskImage", source="the upload", kind="HTML", line="<html>"), 400, False),
    (Fault("ImageInvalid", format="qcow2", detail="wrong"), 400, False),
    (Fault("TargetFailed", target="/data", offset=5, cause="input/output error"), 500, False),
    (Fault("ImporterDefect", error="here"), 500, False),
    (Fault("ScratchRequired"), 503, False),
    (Fault("Cancelled", got="5"), 503, False),
    (Fault("CancelledUnkept", got="5"), 503, False),
    (LOST, 500, False),
    (broken_by(STALLED), 408, False),
    (broken_by(FORMLESS), 400, False),
    (broken_by(OSError("reset")), 500, False),
]


@pytest.mark.parametrize(("fault", "status", "is_of_size"), FAULTS)
def test_each_failure_has_its_status_and_the_contracts_words(fault: Fault, status: int, is_of_size: bool) -> None:
    answer = failed(fault)
    assert answer.status == status
    assert answer.text.startswith("Saving stream failed: ")
    assert ("effective image size is larger than the reported available storage: " in answer.text) == is_of_size
    assert f"[{cause_of(fault).code}]" in answer.text


def test_an_answer_is_one_that_http_knows() -> None:
    head, _, body = Answer(503, "Busy: \N{SNOWMAN}.").encode(with_body=True, goes_on=False).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    assert lines[0] == "HTTP/1.1 503 Service Unavailable"
    assert f"Content-Length: {len(body)}" in lines
    assert {"Connection: close", "X-Content-Type-Options: nosniff"} <= set(lines)
    assert body.decode() == "Busy: \N{SNOWMAN}."


def test_a_head_is_told_how_long_the_body_would_be_and_gets_none() -> None:
    said = Answer(404, "No.").encode(with_body=False, goes_on=True)
    assert said.endswith(b"\r\n\r\n")
    assert b"Content-Length: 3\r\n" in said
    assert b"Connection" not in said
