from __future__ import annotations

import datetime
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from cdi.base.tokens import Unverified, public_key
from cdi.base.upload_permits import OtherPurpose, UploadPermit, upload_permit
from cdi.trust.signatures import private_key
from cdi.trust.tokens import KeyPair, Permit, Place, Signer, key_pair
from cdi.trust.upload_tokens import upload_token

PERMIT = UploadPermit("team", "disk", "0f4a")


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return key_pair()


@pytest.fixture(scope="module")
def private(pair: KeyPair) -> rsa.RSAPrivateKey:
    return private_key(pair.private)


@pytest.fixture(scope="module")
def public(pair: KeyPair) -> rsa.RSAPublicKey:
    return public_key(pair.public)


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def signed(private: rsa.RSAPrivateKey, **changed: object) -> str:
    """A token of ours with members changed; None removes one."""
    own = jwt.decode(upload_token(PERMIT, private, now()), private.public_key(), algorithms=["PS256"])
    claims = {key: value for key, value in (own | changed).items() if value is not None}
    return jwt.encode(claims, private, algorithm="PS256")


def test_a_token_says_to_which_claim_one_may_upload_for_five_minutes(private: rsa.RSAPrivateKey) -> None:
    at = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    unchecked = {"verify_exp": False, "verify_iat": False}
    token = upload_token(PERMIT, private, at)
    said = jwt.decode(token, private.public_key(), algorithms=["PS256"], options=unchecked)
    assert said == {
        "iss": "cdi-apiserver",
        "iat": int(at.timestamp()),
        "nbf": int(at.timestamp()),
        "exp": int(at.timestamp()) + 300,
        "operation": "Upload",
        "namespace": "team",
        "name": "disk",
        "resource": {"group": "", "version": "v1", "resource": "persistentvolumeclaims"},
        "params": {"uid": "0f4a"},
    }
    without = jwt.decode(
        upload_token(UploadPermit("team", "disk"), private, at),
        private.public_key(),
        algorithms=["PS256"],
        options=unchecked,
    )
    assert "params" not in without


@pytest.mark.parametrize("permit", [PERMIT, UploadPermit("team", "disk")], ids=["a claim", "no claim yet"])
def test_what_was_signed_is_verified_again_and_again(
    private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, permit: UploadPermit
) -> None:
    token = upload_token(permit, private, now())
    assert [upload_permit(token, public) for _ in range(6)] == [permit] * 6


def test_a_token_of_a_former_claim_does_not_fit_the_next_one_of_that_name() -> None:
    assert PERMIT.fits("0f4a") and not PERMIT.fits("0f4b")
    assert UploadPermit("team", "disk").fits("0f4b")


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"nbf": 1 << 40}, "not valid yet"),
        ({"iat": 1 << 40}, "not valid yet"),
        ({"iss": "cdi-deployment"}, "none that this installation has signed"),
        ({"iss": None}, "none that this installation has signed"),
        ({"exp": None}, "none that this installation has signed"),
        ({"nbf": None}, "none that this installation has signed"),
        ({"exp": "soon"}, "none that this installation has signed"),
    ],
    ids=str,
)
def test_a_token_that_is_not_valid_now_is_told_so(
    private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, changed: dict[str, object], reason: str
) -> None:
    with pytest.raises(Unverified, match=reason):
        upload_permit(signed(private, **changed), public)


def test_clocks_may_differ_by_ten_seconds(private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey) -> None:
    assert upload_permit(signed(private, nbf=int(time.time()) + 9), public) == PERMIT
    with pytest.raises(Unverified, match="expired"):
        upload_permit(signed(private, exp=int(time.time()) - 11), public)


@pytest.mark.parametrize(
    "changed",
    [
        {"operation": "Clone"},
        {"operation": None},
        {"operation": ["Upload"]},
        {"resource": {"group": "", "version": "v1", "resource": "secrets"}},
        {"resource": "persistentvolumeclaims"},
        {"resource": None},
        {"name": ""},
        {"name": 1},
        {"name": None},
        {"namespace": ""},
        {"namespace": {}},
        {"params": [[[]]]},
        {"params": {"uid": 1}},
        {"params": "uid"},
    ],
    ids=str,
)
def test_a_token_of_ours_for_something_else_is_told_so(
    private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey, changed: dict[str, object]
) -> None:
    with pytest.raises(OtherPurpose, match="the token"):
        upload_permit(signed(private, **changed), public)


def test_a_clone_s_token_uploads_nothing_and_an_upload_s_clones_nothing(
    pair: KeyPair, private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey
) -> None:
    clone = Signer(pair.private).token(Permit(Place("images", "fedora"), Place("team", "disk")), now())
    with pytest.raises(OtherPurpose):
        upload_permit(clone, public)
    assert Signer(pair.private).verified(upload_token(PERMIT, private, now())) is None


def test_what_is_no_token_of_ours_is_told_so(private: rsa.RSAPrivateKey, public: rsa.RSAPublicKey) -> None:
    own = upload_token(PERMIT, private, now())
    head, body, signature = own.split(".")
    deep = "W1t" * 2000
    forged = [
        *("", ".", "..", "ä.ö.ü", f"{deep}.{deep}.{deep}", f"{head}.{body}.", own[:-4] + "AAAA", "a" * 9000, own * 20),
        jwt.encode({"iss": "cdi-apiserver"}, None, algorithm="none"),
        f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{body}.{signature}",
        upload_token(PERMIT, private_key(key_pair().private), now()),
    ]
    for token in forged:
        with pytest.raises(Unverified) as caught:
            upload_permit(token, public)
        assert len(str(caught.value)) < 100
    assert upload_permit(own, public) == PERMIT


@pytest.mark.parametrize("pem", [b"", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"])
def test_what_is_no_key_is_refused(pem: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - cryptography words it
        public_key(pem)
