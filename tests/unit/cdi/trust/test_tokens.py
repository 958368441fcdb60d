from __future__ import annotations

import datetime

import jwt
import pytest

from cdi.trust.tokens import KeyPair, Permit, Place, Signer, key_pair

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
PERMIT = Permit(Place("images", "fedora"), Place("team", "disk"))


@pytest.fixture(scope="module")
def pair() -> KeyPair:
    return key_pair()


def read(token: str, pair: KeyPair) -> dict[str, object]:
    return jwt.decode(token, pair.public, algorithms=["PS256"], options={"verify_exp": False, "verify_iat": False})


def test_a_token_says_what_may_be_cloned_into_what_for_five_minutes(pair: KeyPair) -> None:
    began = int(NOW.timestamp())
    assert read(Signer(pair.private).token(PERMIT, NOW), pair) == {
        "iss": "cdi-apiserver",
        "iat": began,
        "nbf": began,
        "exp": began + 300,
        "operation": "Clone",
        "namespace": "images",
        "name": "fedora",
        "resource": {"group": "", "version": "v1", "resource": "persistentvolumeclaims"},
        "params": {"targetNamespace": "team", "targetName": "disk"},
    }


def test_a_snapshots_token_names_its_resource(pair: KeyPair) -> None:
    permit = Permit(PERMIT.source, PERMIT.target, is_snapshot=True)
    resource = read(Signer(pair.private).token(permit, NOW), pair)["resource"]
    assert resource == {"group": "snapshot.storage.k8s.io", "version": "v1", "resource": "volumesnapshots"}


def test_another_key_does_not_verify_it(pair: KeyPair) -> None:
    with pytest.raises(jwt.InvalidSignatureError):
        read(Signer(key_pair().private).token(PERMIT, NOW), pair)


@pytest.mark.parametrize("key", [b"", b"-----BEGIN RSA PRIVATE KEY-----\nAAAA\n-----END RSA PRIVATE KEY-----\n"])
def test_what_is_no_key_is_refused(key: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - cryptography words it
        Signer(key)


def signed(pair: KeyPair, **changed: object) -> str:
    """A token of ours with members changed; None removes one."""
    now = datetime.datetime.now(datetime.UTC)
    own = jwt.decode(Signer(pair.private).token(PERMIT, now), pair.public, algorithms=["PS256"])
    claims = {key: value for key, value in (own | changed).items() if value is not None}
    return jwt.encode(claims, pair.private, algorithm="PS256")


@pytest.mark.parametrize("issuer", ["cdi-apiserver", "cdi-deployment"])
def test_a_token_that_is_valid_says_again_what_was_signed(pair: KeyPair, issuer: str) -> None:
    assert Signer(pair.private).verified(signed(pair, iss=issuer)) == PERMIT
    snapshot = Permit(PERMIT.source, PERMIT.target, is_snapshot=True)
    assert Signer(pair.private).verified(Signer(pair.private).token(snapshot, datetime.datetime.now(datetime.UTC))) == (
        snapshot
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"iss": "somebody"},
        {"iss": None},
        {"exp": 1},
        {"exp": None},
        {"nbf": None},
        {"nbf": 1 << 40},
        {"operation": "Upload"},
        {"params": None},
        {"params": {"targetNamespace": "team"}},
        {"params": [[[]]]},
        {"name": 1},
        {"resource": {"group": "", "version": "v1", "resource": "secrets"}},
        {"exp": "soon"},
    ],
    ids=str,
)
def test_a_token_of_our_key_for_something_else_permits_nothing(pair: KeyPair, changed: dict[str, object]) -> None:
    assert Signer(pair.private).verified(signed(pair, **changed)) is None


def test_what_is_no_token_of_ours_permits_nothing(pair: KeyPair) -> None:
    now = datetime.datetime.now(datetime.UTC)
    own = Signer(pair.private).token(PERMIT, now)
    head, body, signature = own.split(".")
    unsigned = jwt.encode({"iss": "cdi-apiserver"}, None, algorithm="none")
    # The public key as the secret of a symmetric signature: whoever has it could sign.
    confused = f"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.{body}.{signature}"
    forged = (
        "",
        ".",
        "..",
        "a" * 9000,
        "ä.ö.ü",
        f"{head}.{body}.",
        unsigned,
        confused,
        own[:-4] + "AAAA",
        own + "x" * 9000,
    )
    verified = Signer(pair.private).verified
    assert [verified(token) for token in forged] == [None] * len(forged)
    assert verified(own) == PERMIT
    assert Signer(key_pair().private).verified(own) is None
