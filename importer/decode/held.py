"""What gzip and xz have in common: their libraries return bytes, so a bounded rest is held for the next call."""

from __future__ import annotations

from abc import ABC, abstractmethod

from cdi.base.units import KiB
from importer.decode import ReadInto
from importer.decode.supply import Supply

# Small callers (a tar header of 512 bytes) shall not cost one library call each; large ones get their copy while it
# is still in the cache: 256 KiB was the fastest step for isal, 64 KiB to 1 MiB are within 10 %.
_LEAST, _MOST = 64 * KiB, 256 * KiB


class HeldDecoder(ABC):
    """A ``Decoder`` made from ``_more``. Holds at most 256 KiB of plain bytes beyond the caller's buffer."""

    def __init__(self, read: ReadInto) -> None:
        self._supply = Supply(read)
        self._held = memoryview(b"")
        self._decoded = 0  # plain bytes made: given or held
        self._boundary: tuple[int, int] | None = None
        self._candidate: tuple[int, int] | None = None  # becomes the boundary when the bytes before it are given
        self.produced = 0

    @property
    def consumed(self) -> int:
        return self._supply.used

    def readinto(self, buffer: memoryview) -> int:
        if not self._held:
            self._held = memoryview(self._more(min(max(len(buffer), _LEAST), _MOST)))
            self._decoded += len(self._held)
        count = min(len(buffer), len(self._held))
        buffer[:count] = self._held[:count]
        self._held = self._held[count:]
        self.produced += count
        return count

    def boundary(self) -> tuple[int, int] | None:
        if self._candidate is not None and self._candidate[1] <= self.produced:
            return self._candidate
        return self._boundary

    def _starts_here(self) -> None:
        """A fresh decoder could start at the next compressed byte. Called from ``_more`` only: nothing is held then."""
        self._boundary = self._candidate or self._boundary
        self._candidate = (self._supply.used, self._decoded)

    @abstractmethod
    def _more(self, limit: int) -> bytes:
        """The next 1 to ``limit`` plain bytes of one member or stream; empty only at the proven end of the file."""
