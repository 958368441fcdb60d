"""A certificate and its key in files of a mounted Secret, which the kubelet replaces."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass
from pathlib import Path

from cdi.serving.chain import load_chain

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Contents:
    """Of one moment. Both are of one pair, but for the moment in which they are being replaced."""

    certificate: bytes
    key: bytes


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
        load_chain(self._context, contents.certificate, contents.key)
        self.shown = contents
        log.info("the certificate of %s is served", self._files.certificate)

    def look(self) -> None:
        """What cannot be read changes nothing."""
        try:
            self.load()
        except (OSError, ssl.SSLError) as error:
            log.warning("the certificate served stays the one before: %s: %s", self._files.certificate, error)
