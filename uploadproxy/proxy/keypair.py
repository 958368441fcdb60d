"""A certificate and its key in files of a mounted Secret, which the kubelet replaces."""

from __future__ import annotations

import logging
import os
import ssl
from dataclasses import dataclass
from pathlib import Path

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contents:
    certificate: bytes
    key: bytes

    def load_into(self, context: ssl.SSLContext) -> None:
        """For handshakes from now on. Raises ssl.SSLError for what is no pair, as it is while it is being replaced."""
        memory = os.memfd_create("keypair")  # load_cert_chain wants a file's name; both parts must be of one moment
        try:
            os.write(memory, self.certificate + b"\n" + self.key)
            context.load_cert_chain(f"/proc/self/fd/{memory}")
        finally:
            os.close(memory)


@dataclass(frozen=True, slots=True)
class Files:
    certificate: Path
    key: Path

    def read(self) -> Contents:
        """Raises OSError. Blocks as long as 2 KiB of memory take."""
        return Contents(self.certificate.read_bytes(), self.key.read_bytes())


class Served:
    """Keeps the certificate that ``context`` shows equal to the files. ``shown``: which one that is."""

    def __init__(self, context: ssl.SSLContext, files: Files) -> None:
        self._context = context
        self._files = files
        self.shown: Contents | None = None

    def load(self) -> None:
        """Raises OSError, and ssl.SSLError for what is no pair."""
        contents = self._files.read()
        if contents == self.shown:
            return
        contents.load_into(self._context)
        self.shown = contents
        log.info("the certificate of %s is served", self._files.certificate)

    def look(self) -> None:
        """What cannot be read changes nothing."""
        try:
            self.load()
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificate served stays the one before: %s: %s", self._files.certificate, error)
