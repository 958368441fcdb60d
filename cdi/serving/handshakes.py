"""What connections begin with, and go on changing while a server runs: its certificate, the terms, whom it believes.

An authority cannot be removed from an SSLContext, so each change makes a new one, which takes the place of the first
one within the handshake (``sni_callback``; it is called without SNI too). Certificate, suites and authorities are then
those of the new one, the versions those of the first one.
"""

from __future__ import annotations

import logging
import ssl
from typing import Any

from cdi.api.cdiconfig import CDIConfig
from cdi.api.tlsprofile import terms_of
from cdi.base.tls import TlsTerms, set_terms
from cdi.serving.chain import load_chain

log = logging.getLogger(__name__)


class Handshakes:
    """``context`` is what a server listens with. Clients may show a certificate; one of an authority that is not
    believed ends the handshake."""

    def __init__(self) -> None:
        self._chain = b"", b""
        self._terms = terms_of(None)
        self._authorities = ""
        self._current: ssl.SSLContext | None = None
        self.context = _context()
        # No tickets: no session is taken up again, but by its number in TLS 1.2, which OpenSSL keeps (see client_of).
        self.context.options |= ssl.OP_NO_TICKET
        self.context.num_tickets = 0
        self.context.sni_callback = self._choose
        set_terms(self.context, self._terms)

    def show(self, certificate: bytes, key: bytes) -> None:
        """PEM. Raises ssl.SSLError and ValueError, and shows what it showed before."""
        self._adopt((certificate, key), self._terms, self._authorities)

    def believe(self, authorities: str) -> None:
        """PEM, empty for none: of clients' certificates. What cannot be read changes nothing."""
        if authorities == self._authorities:
            return
        try:
            self._adopt(self._chain, self._terms, authorities)
        except (ssl.SSLError, ValueError) as error:
            log.warning("the authorities of clients cannot be read, and the ones before are believed on: %s", error)

    def adopt_config(self, _: CDIConfig | None, config: CDIConfig | None) -> None:
        """Follows a store."""
        terms = terms_of(config.spec.tls_security_profile if config is not None else None)
        set_terms(self.context, terms)
        self._adopt(self._chain, terms, self._authorities)

    def _adopt(self, chain: tuple[bytes, bytes], terms: TlsTerms, authorities: str) -> None:
        made = _context()
        set_terms(made, terms)
        if chain != (b"", b""):
            load_chain(made, *chain)
        if authorities:
            if not authorities.isascii():
                raise ValueError("a certificate in PEM has other characters")
            made.load_verify_locations(cadata=authorities)
        self._chain, self._terms, self._authorities = chain, terms, authorities
        self._current = made

    def _choose(self, connection: ssl.SSLObject, _: str, __: ssl.SSLContext) -> None:
        if self._current is not None:
            connection.context = self._current


def client_of(connection: ssl.SSLObject) -> str | None:
    """The common name in the certificate that a client has shown, empty where that has none. None for who showed none
    in this very handshake: a session that is taken up again brings along one that was believed when it began."""
    shown: dict[str, Any] | None = None if connection.session_reused else connection.getpeercert()
    if not shown:
        return None
    named = [value for part in shown.get("subject", ()) for key, value in part if key == "commonName"]
    return str(named[-1]) if named else ""


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_OPTIONAL
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN  # who is believed need not be a root, as with Go's servers
    return context
