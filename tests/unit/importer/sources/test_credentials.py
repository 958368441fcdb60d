from __future__ import annotations

import pytest

from importer.sources import SourceSpec
from importer.sources.credentials import credentials_of, may_carry_credentials
from importer.sources.url import Userinfo, parse_http_url

NOBODY = Userinfo()


@pytest.mark.parametrize(
    ("start", "hop", "carried"),
    [
        ("http://a/x", "http://a/y", True),
        ("https://a/x", "https://a:443/y", True),
        ("http://a/x", "http://b/x", False),
        ("http://a/x", "http://a:8080/x", False),
        ("http://a/x", "https://a/x", True),
        ("http://a:8080/x", "https://a/x", False),
        ("http://a/x", "https://a:8443/x", False),
        ("http://a/x", "https://b/x", False),
        ("https://a/x", "http://a/x", False),
        ("https://a/x", "https://sub.a/x", False),
    ],
)
def test_credentials_stay_with_the_origin_the_user_named(start: str, hop: str, carried: bool) -> None:
    assert may_carry_credentials(parse_http_url(start)[0], parse_http_url(hop)[0]) is carried


@pytest.mark.parametrize(
    ("user", "password", "sent"), [("u", "p", True), ("u", "", False), ("", "p", False), ("", "", False)]
)
def test_basic_auth_needs_user_and_password(user: str, password: str, sent: bool) -> None:
    headers = dict(credentials_of(SourceSpec("http://h/", user=user, password=password), NOBODY).headers)
    assert headers == ({"Authorization": "Basic dTpw"} if sent else {})


@pytest.mark.parametrize(("user", "password"), [("u\n", "p\n"), ("u", "p\r\n"), ("u\r\n", "\np")])
def test_the_newline_of_a_secrets_file_is_no_part_of_it(user: str, password: str) -> None:
    headers = dict(credentials_of(SourceSpec("http://h/", user=user, password=password), NOBODY).headers)
    assert headers == {"Authorization": "Basic dTpw"}


def test_blanks_of_a_password_are_kept() -> None:
    headers = dict(credentials_of(SourceSpec("http://h/", user="u", password=" p "), NOBODY).headers)
    assert headers == {"Authorization": "Basic dTogcCA="}


@pytest.mark.parametrize(
    ("userinfo", "sent"),
    [(Userinfo("u", ""), "Basic dTo="), (Userinfo("", "p"), "Basic OnA="), (Userinfo("u", "p"), "Basic dTpw")],
)
def test_half_a_pair_in_a_url_is_sent_as_curl_sends_it(userinfo: Userinfo, sent: str) -> None:
    assert dict(credentials_of(SourceSpec("http://h/"), userinfo).headers) == {"Authorization": sent}


def test_credentials_of_the_spec_win_over_those_in_the_url() -> None:
    userinfo = Userinfo("u", "p")
    assert dict(credentials_of(SourceSpec("http://h/"), userinfo).headers) == {"Authorization": "Basic dTpw"}
    given = credentials_of(SourceSpec("http://h/", user="a", password="b"), userinfo)
    assert dict(given.headers) == {"Authorization": "Basic YTpi"}


def test_an_authorization_header_replaces_basic_auth() -> None:
    spec = SourceSpec("http://h/", user="u", password="p", headers=("authorization: Bearer x",))
    assert credentials_of(spec, NOBODY).headers == (("authorization", "Bearer x"),)


def test_header_lines_are_split_at_the_first_colon_and_trimmed() -> None:
    spec = SourceSpec(
        "http://h/", headers=("X-A:  a: b ", "X-A: again"), secret_headers=("token: t\n", "a: 1\r\nb: 2\n")
    )
    assert credentials_of(spec, NOBODY).headers == (
        ("X-A", "a: b"), ("X-A", "again"), ("token", "t"), ("a", "1"), ("b", "2"),
    )  # fmt: skip


def test_unusable_lines_are_noted_by_number_and_never_by_content() -> None:
    spec = SourceSpec("http://h/", headers=("X: ok", "hunter2"), secret_headers=("bad name: hunter2", "Range: hunter2"))
    credentials = credentials_of(spec, NOBODY)
    assert credentials.headers == (("X", "ok"),)
    assert credentials.notes == (
        "The header in line 2 has no ':' and was left out.",
        "The secret header in line 1 is not a valid header and was left out.",
        "The secret header in line 2 is set by the importer itself and was left out.",
    )
    assert "hunter2" not in repr(credentials)
