from __future__ import annotations

import msgspec
import pytest

from cdi.api.cdiconfig import TlsSecurityProfile
from cdi.api.tlsprofile import terms_of
from cdi.base.tls import TlsTerms


def terms(**profile: object) -> TlsTerms:
    return terms_of(msgspec.convert(profile, TlsSecurityProfile))


@pytest.mark.parametrize(
    ("kind", "minimum", "count"),
    [("Old", "VersionTLS10", 29), ("Intermediate", "VersionTLS12", 11), ("Modern", "VersionTLS13", 3)],
)
def test_a_profile_has_the_contract_s_version_and_number_of_suites(kind: str, minimum: str, count: int) -> None:
    found = terms(type=kind)
    assert (found.minimum, len(set(found.suites))) == (minimum, count)


def test_intermediate_is_for_who_says_nothing() -> None:
    assert terms_of(None) == terms() == terms(type="Intermediate")


def test_a_choice_of_one_s_own_counts_whatever_the_type_says() -> None:
    own = {"ciphers": ["ECDHE-RSA-AES128-GCM-SHA256"], "minTLSVersion": "VersionTLS11"}
    assert terms(type="Modern", custom=own) == TlsTerms("VersionTLS11", ("ECDHE-RSA-AES128-GCM-SHA256",))
