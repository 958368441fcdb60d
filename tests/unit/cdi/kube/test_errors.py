from __future__ import annotations

import json

import pytest

from cdi.kube import errors


def status(code: int, reason: str, **details: object) -> bytes:
    return json.dumps({"kind": "Status", "code": code, "reason": reason, "message": "no", "details": details}).encode()


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (400, "BadRequest", errors.BadRequest),
        (401, "Unauthorized", errors.Unauthorized),
        (403, "Forbidden", errors.Forbidden),
        (404, "NotFound", errors.NotFound),
        (409, "AlreadyExists", errors.AlreadyExists),
        (409, "Conflict", errors.Conflict),
        (410, "Expired", errors.Gone),
        (422, "Invalid", errors.Invalid),
        (429, "TooManyRequests", errors.TooManyRequests),
        (500, "InternalError", errors.ApiError),
    ],
)
def test_an_answer_becomes_the_error_of_its_status(code: int, reason: str, kind: type[errors.ApiError]) -> None:
    error = errors.from_answer(code, status(code, reason))
    assert type(error) is kind
    assert (error.status, error.reason, error.message) == (code, reason, "no")


def test_a_watch_error_takes_the_code_of_its_document() -> None:
    assert isinstance(errors.from_answer(0, status(410, "Expired")), errors.Gone)


def test_causes_name_the_fields() -> None:
    cause = {"reason": "FieldValueRequired", "message": "required", "field": "spec.x"}
    error = errors.from_answer(422, status(422, "Invalid", causes=[cause]))
    assert error.causes == (errors.Cause("FieldValueRequired", "required", "spec.x"),)


def test_a_proxys_page_is_quoted_in_part() -> None:
    error = errors.from_answer(502, b"<html>" + b"x" * 1000)
    assert error.status == 502 and error.message.startswith("<html>") and len(error.message) == 200


def test_null_details_are_none() -> None:
    error = errors.from_answer(500, b'{"kind": "Status", "details": null}')
    assert error.message == "the API server answered 500"


def test_the_server_says_how_long_to_wait() -> None:
    assert errors.from_answer(429, status(429, "TooManyRequests", retryAfterSeconds=3)).retry_after_s == 3
    assert errors.from_answer(429, b"", retry_after="7").retry_after_s == 7


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("86400", 60), ("9" * 5000, 60), ("60", 60), ("59", 59), ("0", 0), ("-5", 0), ("", 0), ("1.5", 0),
        ("\u00b2", 0), ("\u0663", 0), ("Wed, 21 Oct 2099 07:28:00 GMT", 0),
    ],
)  # fmt: skip
def test_nobody_is_left_alone_for_ever(header: str, seconds: float) -> None:
    assert errors.from_answer(503, b"<html>", retry_after=header).retry_after_s == seconds


@pytest.mark.parametrize(("said", "seconds"), [(86400, 60), (2**62, 60), (-7, 0), (5, 5)])
def test_a_status_says_no_more_than_a_header(said: int, seconds: float) -> None:
    assert errors.from_answer(429, status(429, "TooManyRequests", retryAfterSeconds=said)).retry_after_s == seconds


@pytest.mark.parametrize("body", [b"\xff\xfe", b'{"a": %s1%s}' % (b"[" * 4000, b"]" * 4000), b'{"message": "\xff"}'])
def test_whatever_a_proxy_answers_is_an_error_of_its_status(body: bytes) -> None:
    assert errors.from_answer(502, body).status == 502


def test_what_may_pass_is_transient() -> None:
    passing = [errors.Unreachable("x"), *(errors.from_answer(c, b"{}") for c in (409, 429, 500, 503))]
    assert all(error.transient for error in passing)
    assert not any(errors.from_answer(c, b"{}").transient for c in (400, 401, 403, 404, 410, 422))


def test_what_a_rule_of_the_cluster_refuses_is_told_from_what_fails() -> None:
    webhook = b'{"kind": "Status", "message": "Internal error occurred: failed calling webhook \\"x\\""}'
    assert errors.from_answer(500, webhook).refused
    assert all(errors.from_answer(code, b"{}").refused for code in (400, 403, 422))
    assert not any(errors.from_answer(code, b"{}").refused for code in (401, 404, 409, 429, 500, 503))


@pytest.mark.parametrize(
    "body", [b"[" * 5000, b"\xff{", b'{"message":"\xff"}', b'{"code":' + b"9" * 5000 + b"}", b"x" * 1_000_000]
)
@pytest.mark.parametrize("wait", ["\u00b2", "\u0661", "1e9", "-1", "soon"])
def test_an_answer_of_whatever_is_an_error_of_few_words(body: bytes, wait: str) -> None:
    error = errors.from_answer(503, body, wait)
    assert (error.status, error.retry_after_s) == (503, 0.0) and 0 < len(error.message) < 300


def test_a_long_story_is_cut_short() -> None:
    told = json.dumps({"code": 403, "message": "no " * 1_000_000}).encode()
    assert len(errors.from_answer(403, told).message) < 5000
