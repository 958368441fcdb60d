from __future__ import annotations

import logging
import ssl

import pytest

from cdi.api.cdiconfig import TlsSecurityProfile
from cdi.api.tlsprofile import terms_of
from cdi.base.tls import TlsTerms, set_terms
from cdi.serving.selfsigned import self_signed

ONE = "ECDHE-ECDSA-AES256-GCM-SHA384"


def suites(context: ssl.SSLContext) -> list[str]:
    """Those before TLS 1.3, which cannot be chosen."""
    return [suite["name"] for suite in context.get_ciphers() if suite["protocol"] != "TLSv1.3"]


@pytest.fixture
def context() -> ssl.SSLContext:
    return self_signed("test")


def handshake(context: ssl.SSLContext, newest: ssl.TLSVersion) -> str | None:
    """The version that both agree on. In memory: no sockets."""
    client = ssl.create_default_context()
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.maximum_version = newest
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [
        client.wrap_bio(to_client, to_server),
        context.wrap_bio(to_server, to_client, server_side=True),
    ]
    for _ in range(3):
        for end in ends:
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ends[1].version()


def test_terms_hold_for_the_next_handshake(context: ssl.SSLContext) -> None:
    set_terms(context, terms_of(None))
    assert handshake(context, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    set_terms(context, terms_of(TlsSecurityProfile(type="Modern")))
    with pytest.raises(ssl.SSLError):
        handshake(context, ssl.TLSVersion.TLSv1_2)
    assert handshake(context, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    set_terms(context, terms_of(TlsSecurityProfile(type="Intermediate")))
    assert handshake(context, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"


def test_only_the_chosen_suites_are_offered_and_unknown_ones_are_left_out(context: ssl.SSLContext) -> None:
    set_terms(context, TlsTerms("VersionTLS12", ("NO-SUCH-SUITE", ONE)))
    assert suites(context) == [ONE]


def test_a_choice_of_nothing_that_exists_leaves_tls_1_3(
    context: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        set_terms(context, TlsTerms("VersionTLS12", ("NO-SUCH-SUITE",)))
    assert suites(context) == []
    assert "NO-SUCH-SUITE" in caplog.text
    assert handshake(context, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"


def test_old_is_for_clients_of_long_ago(context: ssl.SSLContext) -> None:
    set_terms(context, terms_of(TlsSecurityProfile(type="Old")))
    assert context.minimum_version == ssl.TLSVersion.TLSv1
    assert "ECDHE-ECDSA-AES128-SHA" in suites(context)
    set_terms(context, terms_of(None))
    assert "ECDHE-ECDSA-AES128-SHA" not in suites(context)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
