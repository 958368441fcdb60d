from __future__ import annotations

import json
from typing import Any

import pytest

from cdi.apiserver.aggregated.asked import asked_for, check_namespace
from cdi.apiserver.aggregated.status import Refusal


def body(**changed: Any) -> bytes:
    sent = {"kind": "UploadTokenRequest", "apiVersion": "upload.cdi.kubevirt.io/v1beta1", "spec": {"pvcName": "disk"}}
    return json.dumps(sent | changed).encode()


def test_what_virtctl_sends_is_understood_and_its_metadata_kept() -> None:
    metadata = {"generateName": "token-for-virtctl-", "creationTimestamp": None}
    asked = asked_for(body(metadata=metadata, status={}), "team")
    assert (asked.spec.pvc_name, asked.metadata) == ("disk", metadata)


@pytest.mark.parametrize("sent", [{"spec": {"pvcName": "disk"}}, {"metadata": None, "spec": {"pvcName": "disk"}}])
def test_what_the_request_says_already_may_be_left_out(sent: dict[str, Any]) -> None:
    assert asked_for(json.dumps(sent).encode(), "team").spec.pvc_name == "disk"


@pytest.mark.parametrize(
    "sent",
    [
        *(b"", b"<html>", b"\xff", b"[]", b"7", b"[" * 60_000, b'{"a":' * 10_000, b'{"spec":{"pvcName":1}}'),
        *(b'{"spec":[]}', b'{"metadata":[],"spec":{"pvcName":"a"}}', b'{"spec":{"pvcName":"\\ud800"}}'),
        body(metadata={"a": 0})[:-1] + b',"metadata":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
        *(body(kind="DataVolume"), body(apiVersion="upload.cdi.kubevirt.io/v1alpha1"), body(kind="x" * 60_000)),
        body(metadata={"namespace": "other"}),
        body(metadata={"namespace": ["team"]}),
    ],
    ids=lambda sent: repr(sent[:30]),
)
def test_what_is_no_request_for_a_token_here_is_told_so(sent: bytes) -> None:
    with pytest.raises(Refusal) as caught:
        asked_for(sent, "team")
    assert caught.value.code == 400 and 20 < len(caught.value.message) < 700
    assert json.loads(caught.value.document())["reason"] == "BadRequest"


@pytest.mark.parametrize("name", ["", "Disk", "../secrets/a", "..", "a..b", "-a", "a/b", "a" * 254, "disk\n", "ä"])
def test_a_name_that_no_claim_can_have_is_told_so(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        asked_for(body(spec={"pvcName": name}), "team")
    status = json.loads(caught.value.document())
    assert (status["code"], status["reason"]) == (422, "Invalid")
    assert status["details"]["causes"][0]["field"] == "spec.pvcName"
    assert "spec.pvcName" in status["message"] and len(status["message"]) < 500


@pytest.mark.parametrize("name", ["a", "my.disk", "0", "a" * 253, "prime-0f4a"])
def test_any_name_that_a_claim_can_have_will_do(name: str) -> None:
    assert asked_for(body(spec={"pvcName": name}), "team").spec.pvc_name == name


@pytest.mark.parametrize("name", ["..", "a.b", "", "A", "a" * 64, "team\n"])
def test_a_namespace_that_cannot_be_is_not_found(name: str) -> None:
    with pytest.raises(Refusal) as caught:
        check_namespace(name)
    assert caught.value.code == 404
    check_namespace("team-1")
