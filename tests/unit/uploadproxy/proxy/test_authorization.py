from __future__ import annotations

import datetime
import string

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.tokens import public_key
from cdi.base.upload_permits import UploadPermit
from cdi.trust.signatures import private_key, signed
from cdi.trust.tokens import key_pair
from cdi.trust.upload_tokens import upload_token
from uploadproxy.proxy.authorization import permitted
from uploadproxy.proxy.refusal import Refusal

PAIR = key_pair()
PRIVATE, PUBLIC = private_key(PAIR.private), public_key(PAIR.public)
PERMIT = UploadPermit("team", "disk", "0f4a")


def token(permit: UploadPermit = PERMIT, *, age_s: int = 0, key: rsa.RSAPrivateKey = PRIVATE) -> str:
    return upload_token(permit, key, datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s))


def refusal(header: str) -> tuple[int, str]:
    with pytest.raises(Refusal) as refused:
        permitted(header, PUBLIC)
    return refused.value.status, refused.value.fault.code


@pytest.mark.parametrize("scheme", ["Bearer ", "bearer ", "BEARER   ", "Bearer\t"])
def test_a_token_says_who_may_upload_to_what(scheme: str) -> None:
    assert permitted(scheme + token(), PUBLIC) == PERMIT


@pytest.mark.parametrize(
    "header",
    ["", "Bearer", "Bearer ", "Basic dXNlcg==", "Bearer a b", "Bearer a,b", "Bearer é", "xBearer a", "Bearer a\n"],
)
def test_what_is_no_bearer_token_is_a_bad_request(header: str) -> None:
    assert refusal(header) == (400, "UploadTokenMissing")


@pytest.mark.parametrize(
    "said", [token(age_s=400), token(key=private_key(key_pair().private)), "a.b.c", "x" * 100_000, token()[:-10]]
)
def test_a_token_that_proves_nothing_is_unauthorized(said: str) -> None:
    assert refusal(f"Bearer {said}") == (401, "UploadTokenRefused")


def test_a_token_for_something_else_is_a_bad_request() -> None:
    cloning = signed(
        {"operation": "Clone", "namespace": "team", "name": "disk"}, PRIVATE, datetime.datetime.now(datetime.UTC)
    )
    assert refusal(f"Bearer {cloning}") == (400, "UploadTokenUnfit")


@pytest.mark.parametrize("name", ["..", "a/../b", "a?b", "", "A", "a" * 254, "-a", "a\n"])
def test_what_is_no_name_is_not_looked_up(name: str) -> None:
    for permit in (UploadPermit("team", name), UploadPermit(name, "disk")):
        assert refusal(f"Bearer {token(permit)}") == (400, "UploadTokenUnfit")


@given(st.text(alphabet=string.printable + "é\0", max_size=200))
def test_whatever_a_header_says_is_answered_and_not_repeated(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        permitted(header, PUBLIC)
    assert refused.value.status in (400, 401)
    with pytest.raises(Refusal) as other:
        permitted(header, PUBLIC)
    assert str(other.value) == str(refused.value)
