"""A certificate and its key, which are in memory, in a context."""

from __future__ import annotations

import os
import ssl


def load_chain(context: ssl.SSLContext, certificate: bytes, key: bytes) -> None:
    """For handshakes from now on. PEM; whoever signed the certificate may follow it. Raises ssl.SSLError."""
    memory = os.memfd_create("certificate")  # load_cert_chain wants a file's name; the key never touches a disk
    try:
        with open(memory, "wb", closefd=False) as file:
            file.write(certificate + b"\n" + key)
        context.load_cert_chain(f"/proc/self/fd/{memory}")
    finally:
        os.close(memory)
