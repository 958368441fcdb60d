"""Whom TLS trusts, and what a failed handshake means."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path

from cdi.base.faults import Fault

# X509_V_ERR_*: openssl/x509_vfy.h. Codes, because the texts differ between OpenSSL versions.
_NOT_YET_VALID, _EXPIRED = 9, 10
_WRONG_NAME = (62, 64)  # HOSTNAME_MISMATCH, IP_ADDRESS_MISMATCH
_CAUSES = {
    18: "it is signed by itself",
    19: "its chain ends in a private root certificate",
    20: "its issuer is unknown",
    21: "its issuer is unknown and the server sends no intermediate certificates",
}


class Trust:
    """The certificate authorities of one source: the system's and the given files. Safe from several threads."""

    def __init__(self, ca_files: tuple[Path, ...], insecure: bool) -> None:
        self._ca_files = ca_files
        self._insecure = insecure
        self._lock = threading.Lock()
        self._context: ssl.SSLContext | None = None
        self.bundles = "system"

    def context(self) -> ssl.SSLContext:
        """Built on first use, because reading the system's roots takes 20 ms. Raises Fault FileUnreadable."""
        with self._lock:
            if self._context is None:
                self._context = self._locked_build()
            return self._context

    def _locked_build(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if self._insecure:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
            return context
        # A given server or intermediate certificate is an anchor by itself, as in Go's certificate pools.
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
        context.load_default_certs()
        count = sum(self._load(context, path) for path in self._ca_files)
        if count:
            self.bundles = f"system, {count} file{'s' if count > 1 else ''}"
        return context

    def _load(self, context: ssl.SSLContext, path: Path) -> int:
        """Files loaded. In a directory, files without certificates do no harm; a file that was named must have one."""
        if not path.is_dir():
            _load_file(context, path)
            return 1
        count = 0
        # A mounted ConfigMap has the dot entries ..data and ..<timestamp> beside its keys.
        for entry in sorted(path.iterdir()):
            if entry.name.startswith(".") or not entry.is_file():
                continue
            try:
                _load_file(context, entry)
            except Fault as fault:
                if not isinstance(fault.__cause__, ssl.SSLError):
                    raise
            else:
                count += 1
        return count

    def fault(self, error: ssl.SSLError, host: str) -> Fault:
        """What a failed handshake with ``host`` (host:port) means."""
        if not isinstance(error, ssl.SSLCertVerificationError):
            return Fault("TlsFailed", host=host, cause=(error.reason or "no common protocol").replace("_", " ").lower())
        message = error.verify_message
        if error.verify_code == _EXPIRED:
            return Fault("TlsExpired", host=host, cause=message)
        if error.verify_code == _NOT_YET_VALID:
            return Fault("TlsExpired", host=host, cause="it is not valid yet")
        if error.verify_code in _WRONG_NAME:
            return Fault("TlsWrongHost", host=host, cause=message.rstrip("."))
        cause = _CAUSES.get(error.verify_code, message)
        return Fault("TlsUntrusted", host=host, cause=cause, bundles=self.bundles)


def _load_file(context: ssl.SSLContext, path: Path) -> None:
    try:
        context.load_verify_locations(cafile=str(path))
    except ssl.SSLError as error:
        raise Fault("FileUnreadable", source=str(path), cause="it holds no PEM certificate") from error
    except OSError as error:
        raise Fault("FileUnreadable", source=str(path), cause=error.strerror or type(error).__name__) from error
