"""Certificate authorities of our own, and what they sign for servers and clients. Pure but for keys.

A life begins at a whole second, when the certificate is issued; what it says itself is earlier by what clocks differ.
"""

from __future__ import annotations

import datetime
import ipaddress
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cdi.trust.lifetimes import Lifetime

NOTICED = datetime.timedelta(minutes=2)  # by then every API server knows what is written into its configuration
NOTICED_SOON = datetime.timedelta(seconds=20)  # nearly every one does; who asks has a new certificate in a minute
_EARLY = datetime.timedelta(minutes=5)  # clocks of nodes differ
_SIGNERS = (ec.EllipticCurvePrivateKey, rsa.RSAPrivateKey)


@dataclass(frozen=True, slots=True)
class Pair:
    """Certificate and private key, PEM."""

    certificate: bytes
    key: bytes


def authority(name: str, duration: datetime.timedelta, now: datetime.datetime) -> Pair:
    """``name``: of nobody for whom it signs, or OpenSSL takes their certificates for self-signed ones."""
    issued = _whole(now)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _name(name)
    builder = _builder(subject, subject, key.public_key(), (issued, issued + duration))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    builder = builder.add_extension(_usage(signs=True), critical=True)
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    return Pair(_pem(builder.sign(key, hashes.SHA256())), _key_pem(key))


def server(ca: Pair, names: list[str], duration: datetime.timedelta, now: datetime.datetime) -> Pair:
    """``names``: DNS names and addresses of the service. It ends with its authority at the latest."""
    alternatives = x509.SubjectAlternativeName([_alternative(name) for name in names])
    return _signed(ca, names[0][:64], [alternatives, _purpose(ExtendedKeyUsageOID.SERVER_AUTH)], duration, now)


def client(ca: Pair, name: str, duration: datetime.timedelta, now: datetime.datetime, uri: str = "") -> Pair:
    """``name``, and ``uri`` if there is one: by which servers know it. It ends with its authority at the latest."""
    extensions: list[x509.ExtensionType] = [_purpose(ExtendedKeyUsageOID.CLIENT_AUTH)]
    if uri:
        extensions.append(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(uri)]))
    return _signed(ca, name, extensions, duration, now)


def _signed(
    ca: Pair,
    name: str,
    extensions: Sequence[x509.ExtensionType],
    duration: datetime.timedelta,
    now: datetime.datetime,
) -> Pair:
    """Raises ValueError for an authority that cannot sign."""
    issued = _whole(now)
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = x509.load_pem_x509_certificate(ca.certificate)
    signer = serialization.load_pem_private_key(ca.key, None)
    if not isinstance(signer, _SIGNERS):
        raise ValueError(f"{type(signer).__name__} is no key of an authority")
    life = (issued, min(issued + duration, issuer.not_valid_after_utc))
    builder = _builder(_name(name), issuer.subject, key.public_key(), life)
    builder = builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
    builder = builder.add_extension(_usage(signs=False), critical=True)
    builder = builder.add_extension(_signer_of(issuer), critical=False)
    for extension in extensions:
        builder = builder.add_extension(extension, critical=False)
    return Pair(_pem(builder.sign(signer, hashes.SHA256())), _key_pem(key))


def _signer_of(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """By its key: an authority and the one that follows it have one name, of which OpenSSL tries the first it finds."""
    try:
        named = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.public_key())  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(named)


def span(certificate: bytes) -> tuple[datetime.datetime, datetime.datetime]:
    """When it was issued, and when it ends. Raises ValueError."""
    found = x509.load_pem_x509_certificate(certificate)
    return found.not_valid_before_utc + _EARLY, found.not_valid_after_utc


def issuer(certificate: bytes) -> str:
    """The name of who signed it. Raises ValueError."""
    (name,) = x509.load_pem_x509_certificate(certificate).issuer.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(name.value)


def is_due(certificate: bytes, life: Lifetime, now: datetime.datetime) -> bool:
    """Whether it must be renewed; also what cannot be read."""
    try:
        return life.is_over(*span(certificate), now)
    except ValueError:
        return True


def ends_within(certificate: bytes, time: datetime.timedelta, now: datetime.datetime) -> bool:
    """Also what cannot be read."""
    try:
        return now + time >= span(certificate)[1]
    except ValueError:
        return True


def is_pair(pair: Pair) -> bool:
    """Whether it can be served or signed with: both parts can be read, are of a kind that is used for that (a Go CDI,
    which may have been here before, makes RSA keys), and belong together."""
    try:
        found = x509.load_pem_x509_certificate(pair.certificate)
        key = serialization.load_pem_private_key(pair.key, None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return False
    return isinstance(key, _SIGNERS) and found.public_key() == key.public_key()


def may_stay(
    pair: Pair, trusted: Sequence[bytes], life: Lifetime, now: datetime.datetime, *, asked: bool = False
) -> bool:
    """Whether a server certificate is served on. ``trusted``: the authorities, the newest first. ``asked``: somebody
    wants a new one, however young this one is.

    It outlives the authority that signed it in use. When it is due just as a new authority has come, it waits until
    API servers have noticed that one: a refused handshake would be a refused request of somebody.
    """
    if not asked and _is_believed(pair, trusted) and not is_due(pair.certificate, life, now):
        return True
    return can_wait(pair, trusted, NOTICED_SOON if asked else NOTICED, now)


def can_wait(pair: Pair, trusted: Sequence[bytes], noticed: datetime.timedelta, now: datetime.datetime) -> bool:
    """Whether it is used on, however old it is, until the newest authority is known to all who verify it. ``noticed``:
    when that is, after its making."""
    is_young = _is_believed(pair, trusted) and now - span(trusted[0])[0] < noticed
    return is_young and not ends_within(pair.certificate, min(noticed, NOTICED), now)


def _is_believed(pair: Pair, trusted: Sequence[bytes]) -> bool:
    return is_pair(pair) and any(is_signed_by(pair.certificate, ca) for ca in trusted)


def is_signed_by(certificate: bytes, ca: bytes) -> bool:
    try:
        found, issuer = x509.load_pem_x509_certificate(certificate), x509.load_pem_x509_certificate(ca)
        found.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True


def still_valid(certificates: list[bytes], now: datetime.datetime) -> list[bytes]:
    """For a bundle: those that a server may still show signatures of, without repeats."""
    return list(dict.fromkeys(pem for pem in certificates if not ends_within(pem, datetime.timedelta(), now)))


def split(bundle: bytes) -> list[bytes]:
    """The certificates of a bundle, each as PEM."""
    end = b"-----END CERTIFICATE-----\n"
    return [part + end for part in bundle.split(end) if part.strip()]


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    life: tuple[datetime.datetime, datetime.datetime],
) -> x509.CertificateBuilder:
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    builder = builder.serial_number(x509.random_serial_number())
    return builder.not_valid_before(life[0] - _EARLY).not_valid_after(life[1])


def _whole(now: datetime.datetime) -> datetime.datetime:
    """The next second: what was issued after a moment says so."""
    return now.replace(microsecond=0) + datetime.timedelta(seconds=1 if now.microsecond else 0)


def _usage(*, signs: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=signs,
        crl_sign=signs,
        encipher_only=False,
        decipher_only=False,
    )


def _purpose(usage: x509.ObjectIdentifier) -> x509.ExtendedKeyUsage:
    return x509.ExtendedKeyUsage([usage])


def _alternative(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _name(text: str) -> x509.Name:
    """X.520 wants at most 64 characters. The names of two claims are longer, Go issues them all the same, and whoever
    compares compares them whole; OpenSSL reads them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text, _validate=False)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    plain = serialization.NoEncryption()
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain)
