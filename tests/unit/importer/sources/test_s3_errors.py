from __future__ import annotations

from email.message import Message

import pytest

from importer.sources.s3_errors import fault_of, read_error
from importer.sources.s3_url import parse_s3_url

TARGET = parse_s3_url("s3://images/disk.img", "eu-west-1", {})


def an_answer(code: str, message: str = "So it is.", more: str = "") -> bytes:
    text = f"<?xml version='1.0'?>\n<Error><Code>{code}</Code><Message>{message}</Message>{more}</Error>"
    return text.encode()


def headers(**fields: str) -> Message:
    message = Message()
    for name, value in fields.items():
        message[name.replace("_", "-")] = value
    return message


@pytest.mark.parametrize(
    ("status", "s3code", "code"),
    [
        (403, "InvalidAccessKeyId", "S3Refused"), (403, "SignatureDoesNotMatch", "S3Refused"),
        (403, "AccessDenied", "S3Refused"), (400, "ExpiredToken", "S3Refused"),
        (403, "RequestTimeTooSkewed", "S3Refused"), (301, "PermanentRedirect", "S3Refused"),
        (404, "NoSuchKey", "S3NotFound"), (404, "NoSuchBucket", "S3NotFound"), (404, "NoSuchVersion", "S3NotFound"),
        (404, "XAdminUserNotFound", "S3Refused"),
        (503, "SlowDown", "S3Unavailable"), (500, "InternalError", "S3Unavailable"),
        (400, "RequestTimeout", "S3Unavailable"), (429, "TooManyRequests", "S3Unavailable"),
    ],
)  # fmt: skip
def test_every_s3_code_has_its_fault(status: int, s3code: str, code: str) -> None:
    fault = fault_of(read_error(status, headers(), an_answer(s3code)), TARGET, headers())
    assert fault.code == code
    assert fault.values["s3code"] == s3code


def test_a_refusal_names_bucket_key_region_and_the_services_words() -> None:
    error = read_error(403, headers(), an_answer("AccessDenied", "Access Denied &amp; logged."))
    assert fault_of(error, TARGET, headers()).what == (
        "S3 refused bucket images, key disk.img (region eu-west-1): AccessDenied: Access Denied & logged."
    )


def test_slow_down_carries_how_long_to_wait() -> None:
    fault = fault_of(read_error(503, headers(), an_answer("SlowDown")), TARGET, headers(Retry_After="7"))
    assert fault.values["retry_after_s"] == 7.0
    assert not fault.permanent


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [(b"", 404, "S3NotFound"), (b"", 403, "S3Refused"), (b"<html>Blocked\xff</html>", 502, "S3Unavailable")],
)
def test_an_answer_that_is_not_s3s_is_shown_by_its_status(body: bytes, status: int, code: str) -> None:
    fault = fault_of(read_error(status, headers(), body), TARGET, headers())
    assert (fault.code, fault.values["s3code"]) == (code, f"HTTP {status}")


@pytest.mark.parametrize(
    ("fields", "more", "region"),
    [
        ({"x_amz_bucket_region": "eu-north-1"}, "", "eu-north-1"),
        ({}, "<Region>eu-north-1</Region>", "eu-north-1"),
        ({"x_amz_bucket_region": "evil.example/"}, "", ""),
        ({}, "<Endpoint>images.s3-eu-north-1.amazonaws.com</Endpoint>", "eu-north-1"),
        ({}, "<Endpoint>images.s3.eu-north-1.amazonaws.com</Endpoint>", "eu-north-1"),
        ({}, "<Endpoint>s3.amazonaws.com</Endpoint>", ""),
        ({}, "<Endpoint>s3.eu-north-1.evil.example</Endpoint>", ""),
        ({}, f"<Endpoint>{'s3-' * 200}.amazonaws.com</Endpoint>", ""),
        ({}, "", ""),
    ],
)
def test_the_region_of_the_bucket_is_read_from_header_or_document(
    fields: dict[str, str], more: str, region: str
) -> None:
    body = an_answer("AuthorizationHeaderMalformed", more=more)
    assert read_error(400, headers(**fields), body).region == region


def test_a_servers_words_cannot_drive_a_terminal_or_fill_a_log() -> None:
    error = read_error(403, headers(), an_answer("AccessDenied", "a\x1b[31m\n" + "x" * 400))
    assert error.message == ("a [31m " + "x" * 400)[:200]


def test_a_region_in_the_services_words_is_read() -> None:
    words = "The authorization header is malformed; the region 'us-east-1' is wrong; expecting 'eu-central-1'"
    assert read_error(400, headers(), an_answer("AuthorizationHeaderMalformed", words)).region == "eu-central-1"


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (301, an_answer("PermanentRedirect")), (301, b""), (307, b"<html>"),
        (400, an_answer("AuthorizationHeaderMalformed")), (400, an_answer("IllegalLocationConstraintException")),
    ],
)  # fmt: skip
def test_a_refusal_for_the_region_says_where_to_name_it(status: int, body: bytes) -> None:
    fault = fault_of(read_error(status, headers(), body), TARGET, headers())
    assert fault.code == "S3Refused"
    assert fault.remedy.startswith("name the region of the bucket with --region")


def test_other_refusals_do_not_speak_of_regions() -> None:
    assert "--region" not in fault_of(read_error(403, headers(), an_answer("AccessDenied")), TARGET, headers()).remedy
