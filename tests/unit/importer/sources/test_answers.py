from __future__ import annotations

import pytest

from importer.sources.answers import (
    ContentRange,
    Validators,
    parse_content_range,
    retry_after_seconds,
    status_code_name,
    status_fault,
    strong_etag,
    unspoken_schemes,
)


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "SourceRefused"), (401, "SourceUnauthorized"), (403, "SourceUnauthorized"), (404, "SourceNotFound"),
        (405, "SourceRefused"), (408, "SourceUnavailable"), (410, "SourceNotFound"), (418, "SourceRefused"),
        (425, "SourceUnavailable"), (429, "SourceUnavailable"), (500, "SourceUnavailable"), (503, "SourceUnavailable"),
        (201, "SourceRefused"), (304, "SourceRefused"),
    ],
)  # fmt: skip
def test_every_status_has_its_fault(status: int, code: str) -> None:
    assert status_code_name(status) == code


def test_the_first_refusal_begins_with_the_contracts_phrase() -> None:
    fault = status_fault("http://h/x", (404, "Not Found"), None, first=True)
    phrase = "expected status code 200, got 404. Status: 404 Not Found [SourceNotFound] "
    assert fault.message.startswith(phrase + "GET http://h/x answered 404 Not Found.")


def test_later_refusals_have_no_phrase_and_carry_retry_after() -> None:
    fault = status_fault("http://h/x", (503, "Busy\x1b[31m"), "7", first=False)
    assert fault.message.startswith("[SourceUnavailable] GET http://h/x answered 503 Busy?[31m.")
    assert fault.values["retry_after_s"] == 7.0


@pytest.mark.parametrize(
    ("value", "asked"),
    [
        ("Basic realm=x", ""), ("", ""), ("Digest realm=x, nonce=y", "Digest"), ("negotiate", "Negotiate"),
        ("Negotiate, NTLM", "Negotiate, Ntlm"), ("Digest a=b, basic realm=c", ""), ("Bearer realm=x", "Bearer"),
        ("a=b, c=d", ""), ("\x1b[31m", ""), ("," * 90_000 + "Digest a", ""),
    ],
)  # fmt: skip
def test_a_refusal_names_what_user_and_password_do_not_answer(value: str, asked: str) -> None:
    assert unspoken_schemes(value) == asked


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0), (" 3 ", 3.0), (None, None), ("", None), ("soon", None), ("\u00b2", None), ("-1", None),
        ("Thu, 01 Jan 1970 00:01:40 GMT", 40.0), ("Thu, 01 Jan 1970 00:00:10 GMT", 0.0),
    ],
)  # fmt: skip
def test_retry_after_is_seconds_or_a_date(value: str | None, seconds: float | None) -> None:
    assert retry_after_seconds(value, now_s=60.0) == seconds


@pytest.mark.parametrize(
    ("value", "parsed"),
    [
        ("bytes 0-9/10", ContentRange(0, 9, 10)), ("bytes 5-9/*", ContentRange(5, 9, None)),
        ("bytes */10", ContentRange(None, None, 10)), ("bytes 0-9", None), ("items 0-9/10", None), (None, None),
    ],
)  # fmt: skip
def test_content_ranges_are_parsed_strictly(value: str | None, parsed: ContentRange | None) -> None:
    assert parse_content_range(value) == parsed


@pytest.mark.parametrize(
    ("value", "etag"),
    [
        ('"a"', '"a"'),
        ('W/"a"', None),
        ("a", None),
        ('""', None),
        (None, None),
        (' "a" ', '"a"'),
        ('"\u00fc"', None),
        ('"a b"', None),
    ],
)
def test_only_strong_etags_count(value: str | None, etag: str | None) -> None:
    assert strong_etag(value) == etag


@pytest.mark.parametrize(
    ("before", "now", "differ"),
    [
        (Validators(1, '"a"', "m"), Validators(1, '"a"', "other"), False),
        (Validators(1, '"a"', "m"), Validators(1, '"b"', "m"), True),
        (Validators(1, '"a"', None), Validators(2, '"a"', None), True),
        (Validators(1, None, "m"), Validators(1, None, "n"), True),
        (Validators(1, '"a"', "m"), Validators(1, None, "m"), False),
        (Validators(None, None, None), Validators(5, '"a"', "m"), False),
    ],
)
def test_versions_differ_only_when_proven(before: Validators, now: Validators, differ: bool) -> None:
    assert before.differ(now) is differ


@pytest.mark.parametrize(
    ("now", "trust", "continues"),
    [
        (Validators(1, '"a"', None), False, True),
        (Validators(1, '"b"', None), False, False),
        (Validators(1, None, None), False, False),
        (Validators(1, None, None), True, True),
        (Validators(1, '"b"', None), True, True),
        (Validators(2, '"a"', None), True, False),
        (Validators(None, '"a"', None), True, False),
    ],
)
def test_another_host_must_prove_sameness_or_be_checked_later(now: Validators, trust: bool, continues: bool) -> None:
    assert Validators(1, '"a"', "m").continues_on_another_host(now, trust) is continues
