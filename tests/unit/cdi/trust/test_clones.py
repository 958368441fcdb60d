"""The certificate of the one client that may write into a claim: its names however long, and a handshake in memory."""

from __future__ import annotations

import base64
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509

from cdi.base.wire.clone import claim_uri, client_name
from cdi.trust import certificates
from cdi.trust.clones import Authorities, Copying, data_of, identity
from cdi.trust.lifetimes import Lifetimes

H = datetime.timedelta(hours=1)
NOW = datetime.datetime.now(datetime.UTC)
CLIENTS = certificates.authority("cdi-uploadserver-client", 48 * H, NOW - H)
SERVERS = certificates.authority("cdi-uploadserver", 48 * H, NOW - H)
COPYING = Copying(f"{'n' * 63}/{'s' * 253}", f"{'m' * 63}/{'t' * 253}", "5f2a")
FOUND = Authorities(CLIENTS, SERVERS.certificate)


@pytest.mark.filterwarnings("ignore:Attribute's length:UserWarning")  # of the library, as it reads the long name
def test_it_names_both_claims_and_the_uid_of_the_target() -> None:
    made = identity(FOUND, COPYING, Lifetimes(), NOW)
    found = x509.load_pem_x509_certificate(made.certificate)
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.UniformResourceIdentifier) == [claim_uri("5f2a")]
    assert [part.value for part in found.subject] == [client_name(COPYING.source, COPYING.target)]
    assert certificates.is_signed_by(made.certificate, CLIENTS.certificate)
    assert {name: base64.b64decode(text) for name, text in data_of(made).items()} == {
        "tls.crt": made.certificate,
        "tls.key": made.key,
    }


def test_a_server_reads_the_longest_names_in_a_handshake(tmp_path: Path) -> None:
    made = identity(FOUND, COPYING, Lifetimes(), NOW)
    server = certificates.server(SERVERS, ["target"], 24 * H, NOW)
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, pair in ((server_side, server), (client_side, made)):
        (tmp_path / "both").write_bytes(pair.certificate + pair.key)
        context.load_cert_chain(tmp_path / "both")
    server_side.load_verify_locations(cadata=CLIENTS.certificate.decode())
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side.load_verify_locations(cadata=FOUND.servers.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client_side.wrap_bio(to_client, to_server, server_hostname="target")
    answering = server_side.wrap_bio(to_server, to_client, server_side=True)
    for end in (asking, answering, asking, answering):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = answering.getpeercert() or {}
    assert shown["subject"] == ((("commonName", client_name(COPYING.source, COPYING.target)),),)
    assert shown["subjectAltName"] == (("URI", claim_uri("5f2a")),)
