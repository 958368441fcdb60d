from __future__ import annotations

import datetime
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa

from cdi.trust import certificates, chains, lifetimes
from cdi.trust.certificates import Pair

T0 = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
H = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
SECOND = datetime.timedelta(seconds=1)
CA = certificates.authority("signer", 48 * H, T0)
SERVER = certificates.server(CA, ["cdi-api.cdi.svc", "127.0.0.1"], 24 * H, T0)
NEXT = certificates.authority("signer", 48 * H, T0 + 24 * H)
BOTH = [NEXT.certificate, CA.certificate]


def test_a_server_certificate_is_for_all_its_names_and_for_a_day() -> None:
    found = x509.load_pem_x509_certificate(SERVER.certificate)
    names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(name.value) for name in names] == ["cdi-api.cdi.svc", "127.0.0.1"]
    assert found.not_valid_after_utc == T0 + 24 * H
    assert certificates.is_signed_by(SERVER.certificate, CA.certificate)
    assert not certificates.is_signed_by(SERVER.certificate, NEXT.certificate)


def test_a_client_s_certificate_is_for_clients_only() -> None:
    usages = []
    for made in (certificates.client(CA, "client.example", 24 * H, T0), SERVER):
        found = x509.load_pem_x509_certificate(made.certificate)
        usages.append([usage._name for usage in found.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value])
        assert certificates.is_pair(made) and certificates.is_signed_by(made.certificate, CA.certificate)
    assert usages == [["clientAuth"], ["serverAuth"]]


def test_a_bundle_is_taken_apart() -> None:
    assert certificates.split(b"".join(BOTH)) == BOTH
    assert certificates.split(b"") == []


def test_an_authority_is_for_two_days_and_due_after_one() -> None:
    assert x509.load_pem_x509_certificate(CA.certificate).not_valid_after_utc == T0 + 48 * H
    assert not certificates.is_due(CA.certificate, lifetimes.CA, T0 + 23 * H)
    assert certificates.is_due(CA.certificate, lifetimes.CA, T0 + 24 * H)
    assert certificates.is_due(b"nonsense", lifetimes.CA, T0)


def test_a_life_begins_at_the_next_second() -> None:
    made = certificates.authority("signer", H, T0 + SECOND / 4)
    assert certificates.span(made.certificate) == (T0 + SECOND, T0 + SECOND + H)


def test_a_server_certificate_ends_with_its_authority() -> None:
    capped = certificates.server(CA, ["a"], 24 * H, T0 + 38 * H)
    assert certificates.span(capped.certificate) == (T0 + 38 * H, T0 + 48 * H)
    assert not certificates.is_due(capped.certificate, lifetimes.SERVER, T0 + 45 * H)
    assert certificates.is_due(capped.certificate, lifetimes.SERVER, T0 + 46 * H)  # four fifths of its life


def test_a_pair_belongs_together() -> None:
    assert certificates.is_pair(SERVER)
    assert not certificates.is_pair(Pair(SERVER.certificate, CA.key))
    assert not certificates.is_pair(Pair(SERVER.certificate, b"nonsense"))
    assert not certificates.is_pair(Pair(b"", SERVER.key))


def foreign(key: rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey, digest: hashes.SHA256 | None) -> Pair:
    """An authority as another program made it."""
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cdi-apiserver-signer@1")])
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), T0, T0 + 48 * H)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    encoding = serialization.Encoding.PEM
    traditional = serialization.PrivateFormat.PKCS8
    text = key.private_bytes(encoding, traditional, serialization.NoEncryption())
    return Pair(builder.sign(key, digest).public_bytes(encoding), text)


def test_the_authority_of_a_go_cdi_signs_on() -> None:
    ca = foreign(rsa.generate_private_key(65537, 2048), hashes.SHA256())
    assert certificates.is_pair(ca)
    made = certificates.server(ca, ["a"], H, T0)
    assert certificates.is_signed_by(made.certificate, ca.certificate)


def test_a_key_that_web_servers_cannot_use_is_replaced() -> None:
    assert not certificates.is_pair(foreign(ed25519.Ed25519PrivateKey.generate(), None))


@pytest.mark.parametrize(("hours", "stays"), [(0, True), (11, True), (12, False), (30, False)])
def test_a_server_certificate_stays_for_half_a_day(hours: int, stays: bool) -> None:
    assert certificates.may_stay(SERVER, [CA.certificate], lifetimes.SERVER, T0 + hours * H) is stays


def test_a_new_authority_alone_changes_nothing_that_is_served() -> None:
    served = certificates.server(CA, ["a"], 24 * H, T0 + 23 * H)
    assert certificates.may_stay(served, BOTH, lifetimes.SERVER, T0 + 24 * H)


def test_what_is_due_waits_until_a_new_authority_is_known_everywhere() -> None:
    served = certificates.server(CA, ["a"], 24 * H, T0 + 12 * H)
    assert certificates.may_stay(served, BOTH, lifetimes.SERVER, T0 + 24 * H + MINUTE)
    assert not certificates.may_stay(served, BOTH, lifetimes.SERVER, T0 + 24 * H + 2 * MINUTE)


def test_what_somebody_asks_for_waits_for_a_moment_only() -> None:
    now = T0 + 24 * H
    served = certificates.server(CA, ["a"], 24 * H, now - MINUTE)
    assert certificates.may_stay(served, BOTH, lifetimes.SERVER, now + 19 * SECOND, asked=True)
    assert not certificates.may_stay(served, BOTH, lifetimes.SERVER, now + 20 * SECOND, asked=True)
    assert not certificates.may_stay(SERVER, [CA.certificate], lifetimes.SERVER, T0 + MINUTE, asked=True)


def test_what_ends_at_once_does_not_wait() -> None:
    assert not certificates.may_stay(SERVER, BOTH, lifetimes.SERVER, T0 + 24 * H - MINUTE)


def test_what_nobody_trusts_or_cannot_be_served_does_not_stay() -> None:
    assert not certificates.may_stay(SERVER, [NEXT.certificate], lifetimes.SERVER, T0)
    assert not certificates.may_stay(Pair(SERVER.certificate, CA.key), [CA.certificate], lifetimes.SERVER, T0)


def test_a_bundle_keeps_every_authority_that_is_still_valid_once() -> None:
    kept = certificates.still_valid([NEXT.certificate, CA.certificate, CA.certificate, b"nonsense"], T0 + 47 * H)
    assert kept == BOTH
    assert certificates.still_valid(BOTH, T0 + 48 * H) == [NEXT.certificate]


@pytest.mark.parametrize("bundle", [BOTH, BOTH[::-1]], ids=["the newest first", "the newest last"])
@pytest.mark.parametrize("signer", [CA, NEXT], ids=["the older one", "the newer one"])
def test_openssl_finds_the_signer_among_authorities_of_one_name(
    tmp_path: Path, signer: Pair, bundle: list[bytes]
) -> None:
    made = certificates.server(signer, ["cdi-api.cdi.svc"], 24 * H, T0 + 24 * H)
    (tmp_path / "bundle.pem").write_bytes(b"".join(bundle))
    (tmp_path / "server.pem").write_bytes(made.certificate)
    at = str(int((T0 + 25 * H).timestamp()))
    words = [
        "openssl",
        "verify",
        "-attime",
        at,
        "-CAfile",
        "bundle.pem",
        "-verify_hostname",
        "cdi-api.cdi.svc",
        "server.pem",
    ]
    told = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.stdout == "server.pem: OK\n", told.stderr


@pytest.mark.parametrize("chain", [chains.APISERVER, chains.UPLOAD_PROXY, chains.UPLOAD_SERVER, chains.UPLOAD_CLIENT])
def test_an_authority_has_the_name_of_nobody_for_whom_it_signs(chain: chains.Chain) -> None:
    """OpenSSL would take a certificate in which both are the same for a self-signed one, whoever has signed it."""
    assert chain.signer not in ("cdi-api", "cdi-uploadproxy", "cdi-upload-disk", chains.UPLOAD_CLIENT_NAME)
