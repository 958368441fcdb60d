"""TLS of our own servers on the terms that an administrator sets."""

from __future__ import annotations

import logging
import ssl
import warnings
from dataclasses import dataclass

log = logging.getLogger(__name__)

_VERSIONS = {
    "VersionTLS10": ssl.TLSVersion.TLSv1,
    "VersionTLS11": ssl.TLSVersion.TLSv1_1,
    "VersionTLS12": ssl.TLSVersion.TLSv1_2,
    "VersionTLS13": ssl.TLSVersion.TLSv1_3,
}


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """``minimum``: as ``VersionTLS12``. ``suites``: OpenSSL's names, best first."""

    minimum: str
    suites: tuple[str, ...]


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
