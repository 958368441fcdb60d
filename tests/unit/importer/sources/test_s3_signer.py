from __future__ import annotations

import time
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

from importer.sources.s3_signer import Keys, Wanted, answer, sign

URL = "http://h:9000/images/d/a%20b%2B.img?versionId=v%2B1"


def a_request(**fields: object) -> dict[str, object]:
    static = {"access_key": "AK", "secret_key": "SK", "session_token": "", "environ": {}}
    return {"url": URL, "headers": {}, "region": "eu-west-1", "lifetime_s": 60, **static, **fields}


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def test_path_and_query_stay_as_they_are_and_the_signature_follows() -> None:
    url = sign(Wanted(URL, {}, "eu-west-1", 60), Keys("AK", "SK"))
    assert url.startswith(f"{URL}&X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AK%2F")
    query = query_of(url)
    assert query["X-Amz-Credential"].endswith("/eu-west-1/s3/aws4_request")
    assert (query["X-Amz-Expires"], query["X-Amz-SignedHeaders"]) == ("60", "host")
    assert "SK" not in query


def test_a_session_token_goes_along() -> None:
    answered = answer(a_request(session_token="to/k+en=="))
    assert query_of(answered["url"])["X-Amz-Security-Token"] == "to/k+en=="


def test_headers_become_part_of_the_signature() -> None:
    answered = answer(a_request(headers={"x-amz-request-payer": "requester"}))
    assert query_of(answered["url"])["X-Amz-SignedHeaders"] == "host;x-amz-request-payer"


def test_static_keys_hold_for_the_whole_lifetime() -> None:
    assert 55 < answer(a_request(lifetime_s=60))["expires_at"] - time.time() <= 60


@pytest.fixture
def a_profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The chain sets os.environ, as it does in the child; it is put back after the test."""
    for name in ("AWS_PROFILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.setenv(name, "")
    shared = tmp_path / "credentials"
    shared.write_text("[p]\naws_access_key_id = PAK\naws_secret_access_key = PSK\n[half]\naws_access_key_id = PAK\n")
    return {
        "AWS_PROFILE": "p",
        "AWS_SHARED_CREDENTIALS_FILE": str(shared),
        "AWS_CONFIG_FILE": str(tmp_path / "absent"),
    }


def test_without_keys_the_chain_is_asked(a_profile: dict[str, str]) -> None:
    answered = answer(a_request(access_key="", environ=a_profile))
    assert query_of(answered["url"])["X-Amz-Credential"].startswith("PAK/")


@pytest.mark.parametrize(
    ("profile", "missing"),
    [("nobody", "the profile nobody"), ("half", "aws_secret_access_key")],
)
def test_what_a_profile_lacks_is_named(a_profile: dict[str, str], profile: str, missing: str) -> None:
    answered = answer(a_request(access_key="", environ={**a_profile, "AWS_PROFILE": profile}))
    assert answered == {"fault": "CredentialsMissing", "values": {"missing": missing}}


def test_an_environment_that_leads_nowhere_is_told(a_profile: dict[str, str], tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.write_text("[p]\n")
    answered = answer(a_request(access_key="", environ={**a_profile, "AWS_SHARED_CREDENTIALS_FILE": str(empty)}))
    missing = "a key pair: AWS_* variables are set, but none leads to one"
    assert answered == {"fault": "CredentialsMissing", "values": {"missing": missing}}
