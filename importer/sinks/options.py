"""How a target shall be written, and the sink that does it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from importer.sinks.block import BlockSink
    from importer.sinks.file import FileSink


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """``resume``: keep what an earlier process wrote. ``preallocate``: every byte of the disk has its place reserved.

    ``unaligned``: writes may be smaller than 4 KiB (qcow2 with 512-byte clusters), so the page cache is used.
    ``direct``: past the page cache where the storage can.
    """

    resume: bool = False
    preallocate: bool = False
    unaligned: bool = False
    direct: bool = True


DEFAULT = SinkOptions()


def open_sink(target: Path, size: int, options: SinkOptions = DEFAULT) -> FileSink | BlockSink:
    """A sink for an existing block device, else for a file. Blocking; the caller closes it."""
    if target.is_block_device():
        from importer.sinks.block import BlockSink

        return BlockSink(target, size, options)
    from importer.sinks.file import FileSink

    return FileSink(target, size, options)
