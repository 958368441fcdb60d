"""A raw disk: the file is the disk."""

from __future__ import annotations

from collections.abc import Iterator

from importer.formats import Extent, ReadAt


class Raw:
    format = "raw"
    cluster_size = 512

    def __init__(self, _read_at: ReadAt, size: int) -> None:
        self.virtual_size = size

    def extents(self) -> Iterator[Extent]:
        if self.virtual_size:
            yield Extent(0, self.virtual_size, 0, self.virtual_size)
