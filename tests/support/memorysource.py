"""A source in memory, with faults on demand. Held to the Source contract by tests/component/sources."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE, Body, Facts


@dataclass
class MemorySource:
    """``breaks``: absolute byte offsets at which an answer that reaches them breaks off, each once. ``extents``: what
    it says is data, when it says so."""

    data: bytes
    ranges: bool = True
    etag: str | None = '"v1"'
    name: str = "memory"
    breaks: list[int] = field(default_factory=list)
    opened: list[tuple[int, int | None]] = field(default_factory=list)
    served: int = 0
    extents: list[tuple[int, int]] | None = None
    trust_checksum: bool = False
    mixed: tuple[str, str] | None = None
    lock: threading.Lock = field(default_factory=threading.Lock)

    def probe(self) -> Facts:
        known = None if self.extents is None else lambda: iter(self.extents or ())
        return Facts(self.name, len(self.data), self.ranges, self.etag, self.data[:HEAD_SIZE], extents=known)

    def open(self, offset: int, length: int | None) -> Body:
        assert self.ranges or offset == 0, "a source without ranges was asked for one"
        with self.lock:
            self.opened.append((offset, length))
        return _MemoryBody(self, offset, len(self.data) if length is None else offset + length)

    def interrupt(self) -> None: ...

    def close(self) -> None: ...


class _MemoryBody:
    def __init__(self, source: MemorySource, offset: int, end: int) -> None:
        self._source = source
        self._offset = offset
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        source = self._source
        with source.lock:
            stop = min(self._end, self._offset + len(buffer))
            cut = next((at for at in source.breaks if self._offset <= at < stop), None)
            if cut == self._offset:
                source.breaks.remove(cut)
                raise Fault("ConnectionLost", source=source.name, got=cut, cause="scripted break")
            stop = stop if cut is None else cut
            part = source.data[self._offset : stop]
            buffer[: len(part)] = part
            self._offset = stop
            source.served += len(part)
            return len(part)

    def close(self) -> None: ...
