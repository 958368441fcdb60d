"""The server's side of mutual TLS."""

from __future__ import annotations

import ssl

from cdi.base.faults import Fault
from cdi.base.tls import TlsTerms, set_terms
from cdi.base.wire.upload import UploadEnvironment

_LIBRARYS_OWN = ("DEFAULT",)


def context_of(told: UploadEnvironment) -> ssl.SSLContext:
    """A certificate of the client is not asked of everybody, since probes have none; one that is shown is verified.
    Raises Fault ManifestInvalid for files that cannot be used."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    set_terms(context, TlsTerms(told.tls_min_version, told.ciphers or _LIBRARYS_OWN))
    # A client that closes with tickets unread resets the connection, which destroys what it has sent last.
    context.num_tickets = 0
    try:
        context.load_cert_chain(told.certificate_file, told.key_file)
        context.load_verify_locations(told.client_ca_file)
    except OSError as error:  # which TLS's errors are
        files = f"{told.certificate_file}, {told.key_file}, {told.client_ca_file}"
        raise Fault(
            "ManifestInvalid", where="TLS_CERT_FILE, TLS_KEY_FILE, CLIENT_CERT_FILE", detail=f"{files}: {error}"
        ) from error
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
