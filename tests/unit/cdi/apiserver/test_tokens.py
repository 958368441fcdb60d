from __future__ import annotations

import datetime

import jwt
import pytest

from cdi.apiserver.tokens import KeyPair, Permit, Place, Signer, key_pair

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
