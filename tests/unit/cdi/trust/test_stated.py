from __future__ import annotations

import datetime

import pytest

from cdi.trust import certificates
from cdi.trust.lifetimes import CA, SERVER, Lifetime
from cdi.trust.stated import is_asked, stated

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
H = datetime.timedelta(hours=1)
NAMES = ["cdi-api.cdi.svc", "cdi-api"]
SIGNER = certificates.authority("signer", CA.duration, T0)
PAIR = certificates.server(SIGNER, NAMES, SERVER.duration, T0)
ABOUT = "auth.openshift.io/certificate-"
NOT_BEFORE, NOT_AFTER, HOSTNAMES = f"{ABOUT}not-before", f"{ABOUT}not-after", f"{ABOUT}hostnames"
CONFIG = "operator.cdi.kubevirt.io/certConfig"
SAID = stated(PAIR, SERVER, NAMES)


def test_a_secret_says_what_its_certificate_is() -> None:
    assert {
        NOT_BEFORE: "2026-01-01T00:00:00Z",
        NOT_AFTER: "2026-01-02T00:00:00Z",
        f"{ABOUT}issuer": "signer",
        HOSTNAMES: "cdi-api,cdi-api.cdi.svc",
        CONFIG: '{"lifetime":"24h0m0s","refresh":"12h0m0s"}',
    } == SAID
    assert HOSTNAMES not in stated(SIGNER, CA)


def test_what_is_as_it_should_be_is_not_asked_for() -> None:
    assert not is_asked(SAID, SERVER, T0 + H, NAMES)
    assert not is_asked(SAID, SERVER, T0 + H, NAMES[:1])
    assert not is_asked(stated(SIGNER, CA), CA, T0 + H)


@pytest.mark.parametrize(
    "changed",
    [
        {NOT_AFTER: "2026-01-01T00:00:01Z"},
        {NOT_AFTER: "2026-01-01T01:00:01+01:00"},
        {NOT_BEFORE: "2025-12-01T00:00:00Z"},
        {NOT_AFTER: "never"},
        {NOT_AFTER: "2026-01-02T00:00:00"},
        {NOT_BEFORE: ""},
        {CONFIG: ""},
        {HOSTNAMES: "cdi-api"},
    ],
    ids=lambda changed: str(*changed.items()),
)
def test_whoever_changes_what_it_says_asks_for_a_new_one(changed: dict[str, str]) -> None:
    assert is_asked(SAID | changed, SERVER, T0 + H, NAMES)


def test_other_lifetimes_and_a_secret_that_says_nothing_ask_for_a_new_one() -> None:
    assert is_asked(SAID, Lifetime(23 * H, 12 * H), T0 + H, NAMES)
    assert is_asked({}, SERVER, T0, NAMES)
