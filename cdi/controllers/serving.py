"""TLS of our own servers: the terms that an administrator sets, and a certificate that nobody is asked to trust."""

from __future__ import annotations

import datetime
import logging
import os
import ssl
import warnings

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cdi.api.cdiconfig import CDIConfig
from cdi.api.tlsprofile import TlsTerms, terms_of

log = logging.getLogger(__name__)

_VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}
# Seconds after which a connection that says nothing, or half a request, is closed. Go's clients, API servers among
# them, give up an idle one after 90: it must not be us who close it in the moment in which they use it again.
QUIET_S = 120.0
_EARLY = datetime.timedelta(minutes=5)  # clocks of nodes differ
_LIFE = datetime.timedelta(days=3650)  # a process that lives on must not stop being scraped


def self_signed(name: str) -> ssl.SSLContext:
    """A server's context with a new key. (The contract: whoever scrapes does not verify.)"""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(now - _EARLY).not_valid_after(now + _LIFE)
    plain = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    certificate = builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    memory = os.memfd_create("certificate")  # load_cert_chain wants a file's name; the key never touches a disk
    try:
        os.write(memory, certificate + key.private_bytes(*plain))
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
    return context


def adopt_terms(context: ssl.SSLContext, _: CDIConfig | None, config: CDIConfig | None) -> None:
    """Follows a store: for the handshakes after each change of the configuration."""
    set_terms(context, terms_of(config.spec.tls_security_profile if config is not None else None))


def set_terms(context: ssl.SSLContext, terms: TlsTerms) -> None:
    """For handshakes from now on. Suites that OpenSSL does not know are left out (the contract)."""
    older = [suite for suite in terms.suites if not suite.startswith("TLS_")]  # those of TLS 1.3 are always there
    minimum = _VERSIONS.get(terms.minimum, ssl.TLSVersion.TLSv1_2)
    if minimum < ssl.TLSVersion.TLSv1_2:
        older.append("@SECLEVEL=0")  # OpenSSL 3 has TLS 1.0 and 1.1 at this level only
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0 and 1.1, which somebody asked for
        context.minimum_version = minimum
    if minimum == ssl.TLSVersion.TLSv1_3:
        return
    try:
        context.set_ciphers(":".join(older))
    except (ssl.SSLError, ValueError):  # ValueError: no text of C; OpenSSL has then forgotten the old ones as well
        log.warning("no suite of %s is one before TLS 1.3: only that is spoken", ", ".join(terms.suites))
