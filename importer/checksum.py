"""The checksum a user gives, ``algorithm:hex``, and hashing the bytes as they were received."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from cdi.base.faults import Fault

_DIGITS = {"md5": 32, "sha1": 40, "sha256": 64, "sha512": 128}


@dataclass(frozen=True, slots=True)
class Checksum:
    algorithm: str
    digest: str  # lower-case hex

    @staticmethod
    def parse(text: str) -> Checksum:
        """Accepts any case and surrounding blanks, as the contract says; else Fault ChecksumInvalid."""
        algorithm, _, digest = text.strip().lower().partition(":")
        digest = digest.strip()
        if len(digest) != _DIGITS.get(algorithm.strip(), -1) or not re.fullmatch(r"[0-9a-f]+", digest):
            raise Fault("ChecksumInvalid", checksum=text)
        return Checksum(algorithm.strip(), digest)

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.digest}"

    def hasher(self) -> Hasher:
        return Hasher(self)


class Hasher:
    """Runs over the transferred bytes in order; ``verify`` at the end. hashlib releases the GIL on large updates."""

    def __init__(self, expected: Checksum) -> None:
        self._expected = expected
        self._hash = hashlib.new(expected.algorithm, usedforsecurity=False)

    def update(self, data: memoryview | bytes) -> None:
        self._hash.update(data)

    def verify(self) -> None:
        calculated = self._hash.hexdigest()
        if calculated != self._expected.digest:
            algorithm, expected = self._expected.algorithm, self._expected.digest
            raise Fault(
                "ChecksumMismatch",
                # The Go CDI's full text; its controller and users match on "checksum mismatch".
                contract="checksum validation failed: checksum mismatch: "
                f"expected {algorithm}:{expected}, calculated {algorithm}:{calculated}",
                algorithm=algorithm,
                expected=expected,
                calculated=calculated,
            )
