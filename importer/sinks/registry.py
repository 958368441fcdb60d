"""Which sink writes to a target. Imported when asked for: a worker needs one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from importer.sinks.options import DEFAULT, SinkOptions

if TYPE_CHECKING:
    from importer.sinks.block import BlockSink
    from importer.sinks.file import FileSink


def open_sink(target: Path, size: int, options: SinkOptions = DEFAULT) -> FileSink | BlockSink:
    """A sink for an existing block device, else for a file. Blocking; the caller closes it."""
    if target.is_block_device():
        from importer.sinks.block import BlockSink

        return BlockSink(target, size, options)
    from importer.sinks.file import FileSink

    return FileSink(target, size, options)
