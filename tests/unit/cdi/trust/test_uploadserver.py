"""What one upload server gets: by example, with the clock as an input, and used for a handshake in memory."""

from __future__ import annotations

import base64
import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cdi.contract import names
from cdi.trust import certificates
from cdi.trust.chains import UPLOAD_CLIENT_NAME
from cdi.trust.lifetimes import Lifetime, Lifetimes
from cdi.trust.uploadserver import Authorities, Identity, identity

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
H = datetime.timedelta(hours=1)
SERVERS = certificates.authority("cdi-uploadserver", 48 * H, T0)
CLIENTS = certificates.authority("cdi-uploadserver-client", 48 * H, T0)
FOUND = Authorities(SERVERS, CLIENTS.certificate)


def given(now: datetime.datetime = T0, lives: Lifetimes | None = None, service: str = "cdi-upload-disk") -> Identity:
    return identity(FOUND, service, "team", lives or Lifetimes(), now)


def test_it_is_for_the_three_names_of_its_service() -> None:
    found = x509.load_pem_x509_certificate(given().certificate)
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert alternatives.get_values_for_type(x509.DNSName) == [
        "cdi-upload-disk",
        "cdi-upload-disk.team",
        "cdi-upload-disk.team.svc",
    ]
    assert [part.value for part in found.subject] == ["cdi-upload-disk"]
    assert isinstance(found.public_key(), ec.EllipticCurvePublicKey)
    assert certificates.is_signed_by(given().certificate, SERVERS.certificate)


def test_the_longest_names_are_whole() -> None:
    service = names.upload_service("d" * 253)
    found = x509.load_pem_x509_certificate(identity(FOUND, service, "n" * 63, Lifetimes(), T0).certificate)
    assert [part.value for part in found.subject] == [service]
    alternatives = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert f"{service}.{'n' * 63}.svc" in alternatives.get_values_for_type(x509.DNSName)


def test_the_secret_has_what_a_server_reads() -> None:
    made = given()
    data = {name: base64.b64decode(text) for name, text in made.data.items()}
    assert data == {"tls.crt": made.certificate, "tls.key": made.key, "ca.crt": CLIENTS.certificate}


def test_it_is_replaced_when_the_shorter_of_both_refreshes_is_over() -> None:
    assert given().deadline == T0 + 12 * H
    assert given(lives=Lifetimes(client=Lifetime(24 * H, 3 * H))).deadline == T0 + 3 * H
    assert given(lives=Lifetimes(server=Lifetime(10 * H, 2 * H))).deadline == T0 + 2 * H


@pytest.mark.parametrize(("age", "left"), [(34, 11.2), (46, 1.6)])
def test_it_is_replaced_before_an_authority_ends(age: int, left: float) -> None:
    """Of its own certificate, which ends with its authority, or of the clients whom it knows."""
    now = T0 + age * H
    young = certificates.authority("young", 48 * H, now)
    for servers, clients in ((SERVERS, young), (young, CLIENTS)):
        made = identity(Authorities(servers, clients.certificate), "s", "n", Lifetimes(), now)
        assert made.deadline == now + left * H


def test_what_trusts_nobody_is_not_made() -> None:
    for clients in (b"", b"nonsense"):
        with pytest.raises(ValueError, match="Unable to load PEM"):
            identity(Authorities(SERVERS, clients), "s", "n", Lifetimes(), T0)


def test_a_server_with_it_and_the_proxy_believe_each_other(tmp_path: Path) -> None:
    now = datetime.datetime.now(datetime.UTC)
    servers, clients = (certificates.authority(name, 48 * H, now - H) for name in ("servers", "clients"))
    made = identity(Authorities(servers, clients.certificate), "disk", "team", Lifetimes(), now)
    proxy = certificates.client(clients, UPLOAD_CLIENT_NAME, 24 * H, now)
    server_side, client_side = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, certificate, key in (
        (server_side, made.certificate, made.key),
        (client_side, proxy.certificate, proxy.key),
    ):
        (tmp_path / "both").write_bytes(certificate + key)
        context.load_cert_chain(tmp_path / "both")
    server_side.load_verify_locations(cadata=made.clients.decode())
    server_side.verify_mode = ssl.CERT_REQUIRED
    client_side.load_verify_locations(cadata=servers.certificate.decode())
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    asking = client_side.wrap_bio(to_client, to_server, server_hostname="disk.team.svc")
    answering = server_side.wrap_bio(to_server, to_client, server_side=True)
    for end in (asking, answering, asking, answering):
        try:
            end.do_handshake()
        except ssl.SSLWantReadError:
            continue
    shown = answering.getpeercert()
    assert shown is not None and shown["subject"] == ((("commonName", UPLOAD_CLIENT_NAME),),)
