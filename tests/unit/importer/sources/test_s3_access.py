from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from importer.sources import SourceSpec
from importer.sources.s3_access import choose_access

PAIR = {"AWS_ACCESS_KEY_ID": "EAK", "AWS_SECRET_ACCESS_KEY": "ESK"}


def a_spec(user: str = "", password: str = "", session_token: str = "", **environ: str) -> SourceSpec:
    return SourceSpec("s3://b1/k", user, password, session_token, environ=environ)


def test_given_keys_win_and_lose_the_newline_of_their_file() -> None:
    assert choose_access(a_spec("AK\n", "SK\n", "T\n", **PAIR)).keys == ("AK", "SK", "T")


def test_keys_of_the_environment_come_next() -> None:
    access = choose_access(a_spec(**PAIR, AWS_SESSION_TOKEN="ET", AWS_PROFILE="p"))
    assert access.keys == ("EAK", "ESK", "ET")


@pytest.mark.parametrize(
    ("spec", "missing"),
    [
        (a_spec(user="AK"), "secretKey"),
        (a_spec(password="SK"), "accessKeyId"),
        (a_spec(session_token="T"), "accessKeyId"),
        (a_spec(AWS_ACCESS_KEY_ID="AK"), "AWS_SECRET_ACCESS_KEY"),
        (a_spec(AWS_SECRET_ACCESS_KEY="SK"), "AWS_ACCESS_KEY_ID"),
    ],
)
def test_half_a_key_pair_is_refused_and_the_other_half_named(spec: SourceSpec, missing: str) -> None:
    with pytest.raises(Fault) as caught:
        choose_access(spec)
    assert (caught.value.code, caught.value.values["missing"]) == ("CredentialsMissing", missing)


@pytest.mark.parametrize(
    "environ",
    [
        {"AWS_PROFILE": "p"},
        {"AWS_WEB_IDENTITY_TOKEN_FILE": "/t", "AWS_ROLE_ARN": "arn"},
        {"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1/c"},
        {"AWS_SHARED_CREDENTIALS_FILE": "/c"},
        {"AWS_EC2_METADATA_DISABLED": "false"},
    ],
)
def test_an_environment_that_names_credentials_is_asked(environ: dict[str, str]) -> None:
    access = choose_access(a_spec(**environ, HOME="/h", https_proxy="http://p", LANG="C"))
    assert access.keys is None
    assert access.chain == {**environ, "HOME": "/h", "https_proxy": "http://p"}


@pytest.mark.parametrize(
    "environ", [{}, {"HOME": "/root"}, {"AWS_REGION": "x", "AWS_ENDPOINT_URL": "http://h"}, {"AWS_PROFILE": ""}]
)
def test_without_any_hint_the_request_is_anonymous(environ: dict[str, str]) -> None:
    assert choose_access(a_spec(**environ)).is_anonymous


def test_secrets_are_not_in_the_representation() -> None:
    assert "SK" not in repr(choose_access(a_spec("AK", "SK")))
    assert "ESK" not in repr(choose_access(a_spec(AWS_PROFILE="p", AWS_X="ESK")))
