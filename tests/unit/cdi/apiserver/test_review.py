from __future__ import annotations

import base64
import json

import msgspec
import pytest

from cdi.api.violation import Violation
from cdi.apiserver.review import ALLOWED, DUPLICATE, NOTHING, Answer, Review, annotate, broken, encode, refused


def a_review(version: str = "v1") -> Review:
    body = {"apiVersion": f"admission.k8s.io/{version}", "kind": "AdmissionReview"}
    request = {"uid": "u-1", "operation": "CREATE", "object": {"spec": {}}, "oldObject": None, "options": {"a": 1}}
    return msgspec.json.decode(json.dumps({**body, "request": request}), type=Review)


def test_an_object_is_kept_as_it_was_sent() -> None:
    request = a_review().request
    assert bytes(request.object) == b'{"spec": {}}'
    assert request.old_object == NOTHING


@pytest.mark.parametrize("version", ["v1", "v1beta1"])
def test_the_answer_has_the_version_and_the_uid_of_the_question(version: str) -> None:
    answer = json.loads(encode(a_review(version), ALLOWED))
    assert answer == {
        "apiVersion": f"admission.k8s.io/{version}",
        "kind": "AdmissionReview",
        "response": {"uid": "u-1", "allowed": True},
    }


def test_a_refusal_is_a_422_with_a_blank_before_each_cause() -> None:
    answer = refused([Violation("spec.a", "One thing"), Violation("", "Another")], DUPLICATE)
    assert json.loads(encode(a_review(), answer))["response"]["status"] == {
        "status": "Failure",
        "message": " One thing Another",
        "code": 422,
        "details": {
            "causes": [
                {"reason": "FieldValueDuplicate", "message": "One thing", "field": "spec.a"},
                {"reason": "FieldValueDuplicate", "message": "Another", "field": ""},
            ]
        },
    }


def test_what_cannot_be_read_is_a_400() -> None:
    status = json.loads(encode(a_review(), broken("no")))["response"]["status"]
    assert status == {"status": "Failure", "message": "no", "code": 400}


def test_a_patch_travels_in_base64() -> None:
    response = json.loads(encode(a_review(), Answer(patch=({"op": "add", "path": "/a", "value": 1},))))["response"]
    assert response["patchType"] == "JSONPatch"
    assert json.loads(base64.b64decode(response["patch"])) == [{"op": "add", "path": "/a", "value": 1}]


def test_annotations_are_added_one_by_one_or_with_their_map() -> None:
    assert annotate({}, {}) == ()
    assert annotate({}, {"a/b": "1"}) == ({"op": "add", "path": "/metadata/annotations", "value": {"a/b": "1"}},)
    assert annotate({"x": ""}, {"a/b~": "1"}) == ({"op": "add", "path": "/metadata/annotations/a~1b~0", "value": "1"},)
