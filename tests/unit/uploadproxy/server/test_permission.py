"""Which tokens stand for the proxy's certificate."""

from __future__ import annotations

import datetime
from collections.abc import Callable

import pytest

from cdi.base.upload_permits import UploadPermit
from cdi.base.wire.upload import Claim
from cdi.trust.signatures import private_key
from cdi.trust.tokens import key_pair
from cdi.trust.upload_tokens import upload_token
from uploadproxy.server.permission import refusal

KEYS, OTHER = key_pair(), key_pair()
CLAIM = Claim("team", "disk", "0e1f", KEYS.public.decode())


def bearer(permit: UploadPermit, *, private: bytes = KEYS.private, age_s: float = 0.0) -> str:
    made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
    return f"Bearer {upload_token(permit, private_key(private), made)}"


@pytest.mark.parametrize("uid", ["0e1f", ""])
def test_one_for_the_claim_does(uid: str) -> None:
    assert refusal(bearer(UploadPermit("team", "disk", uid)), CLAIM) is None


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (lambda: "", "UploadTokenMissing"),
        (lambda: "Bearer x", "UploadTokenRefused"),
        (lambda: bearer(UploadPermit("team", "disk", "0e1f"), private=OTHER.private), "UploadTokenRefused"),
        (lambda: bearer(UploadPermit("team", "disk", "0e1f"), age_s=400), "UploadTokenRefused"),
        (lambda: bearer(UploadPermit("team", "other", "0e1f")), "UploadTokenUnfit"),
        (lambda: bearer(UploadPermit("others", "disk", "0e1f")), "UploadTokenUnfit"),
        (lambda: bearer(UploadPermit("team", "disk", "former")), "UploadTokenOutdated"),
    ],
)
def test_every_other_one_is_refused(header: Callable[[], str], code: str) -> None:
    """``header``: made when the test runs, for a token lasts five minutes only."""
    found = refusal(header(), CLAIM)
    assert found is not None
    assert (found.status, f"[{code}]" in found.text) == (401, True)


def test_a_server_whose_key_is_none_lets_nobody_in() -> None:
    found = refusal(bearer(UploadPermit("team", "disk")), Claim("team", "disk", "0e1f", "no key"))
    assert found is not None
    assert found.status == 401
