"""Reading the tables of an image: every read is checked against the file's size before it is made."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.base.faults import Fault
from importer.formats import ReadAt


@dataclass(frozen=True, slots=True)
class Window:
    """The bytes of one image file, ``size`` long, as its parser sees them."""

    format: str
    read_at: ReadAt
    size: int

    def head(self, length: int) -> bytes:
        """The first ``length`` bytes, fewer when the file is shorter."""
        return self._exactly(0, min(length, self.size))

    def table(self, name: str, offset: int, length: int, floor: int = 0) -> bytes:
        """``length`` bytes of the table ``name``, which lies inside the file and not below ``floor`` (the header)."""
        self.check_table(name, offset, length, floor)
        return self._exactly(offset, length)

    def check_table(self, name: str, offset: int, length: int, floor: int = 0) -> None:
        if offset < floor or offset + length > self.size:
            raise Fault("ImageTableOutside", format=self.format, table=name, offset=offset)

    def check_data(self, offset: int, length: int) -> None:
        if offset + length > self.size:
            raise Fault("ImageTruncated", format=self.format, size=self.size, needed=offset + length)

    def invalid(self, detail: str) -> Fault:
        return Fault("ImageInvalid", format=self.format, detail=detail)

    def unsupported(self, feature: str) -> Fault:
        return Fault("ImageUnsupported", format=self.format, feature=feature)

    def _exactly(self, offset: int, length: int) -> bytes:
        data = self.read_at(offset, length)
        if len(data) != length:  # the file became shorter than it was said to be
            raise Fault("ImageTruncated", format=self.format, size=offset + len(data), needed=offset + length)
        return data


def printable(raw: bytes | str, limit: int = 100) -> str:
    """``raw`` from a hostile file as one line of text that is safe to print, ``limit`` characters at most."""
    text = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else raw
    return "".join(char if char.isprintable() else "?" for char in text[:limit])
