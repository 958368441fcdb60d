"""What a TLS profile stands for: the oldest version and the suites. Both are the contract's. Pure."""

from __future__ import annotations

from cdi.api.cdiconfig import TlsSecurityProfile
from cdi.base.tls import TlsTerms

_TLS13 = ("TLS_AES_128_GCM_SHA256", "TLS_AES_256_GCM_SHA384", "TLS_CHACHA20_POLY1305_SHA256")
_INTERMEDIATE = """ECDHE-ECDSA-AES128-GCM-SHA256 ECDHE-RSA-AES128-GCM-SHA256 ECDHE-ECDSA-AES256-GCM-SHA384
    ECDHE-RSA-AES256-GCM-SHA384 ECDHE-ECDSA-CHACHA20-POLY1305 ECDHE-RSA-CHACHA20-POLY1305
    DHE-RSA-AES128-GCM-SHA256 DHE-RSA-AES256-GCM-SHA384"""
_OLD = """DHE-RSA-CHACHA20-POLY1305 ECDHE-ECDSA-AES128-SHA256 ECDHE-RSA-AES128-SHA256 ECDHE-ECDSA-AES128-SHA
    ECDHE-RSA-AES128-SHA ECDHE-ECDSA-AES256-SHA384 ECDHE-RSA-AES256-SHA384 ECDHE-ECDSA-AES256-SHA
    ECDHE-RSA-AES256-SHA DHE-RSA-AES128-SHA256 DHE-RSA-AES256-SHA256 AES128-GCM-SHA256 AES256-GCM-SHA384
    AES128-SHA256 AES256-SHA256 AES128-SHA AES256-SHA DES-CBC3-SHA"""


_TERMS = {
    "Old": TlsTerms("VersionTLS10", (*_TLS13, *_INTERMEDIATE.split(), *_OLD.split())),
    "Intermediate": TlsTerms("VersionTLS12", (*_TLS13, *_INTERMEDIATE.split())),
    "Modern": TlsTerms("VersionTLS13", _TLS13),
}


def terms_of(profile: TlsSecurityProfile | None) -> TlsTerms:
    """Intermediate where nothing is said; a choice of one's own counts whatever ``type`` says."""
    if profile is None:
        return _TERMS["Intermediate"]
    if profile.custom is not None:
        return TlsTerms(profile.custom.min_tls_version or "VersionTLS12", tuple(profile.custom.ciphers))
    return _TERMS.get(profile.type, _TERMS["Intermediate"])
