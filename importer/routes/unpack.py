"""ARCHIVE: the entries of a tar, decompressed on the way, into a directory.

A checksum can only be verified behind the last byte, when files stand there already: see ``unfinished``.
"""

from __future__ import annotations

from pathlib import Path

from importer.archive import extract
from importer.routes.plain import PlainSource, PlainStream


def run(feed: PlainSource, directory: Path) -> int:
    """Unpack; the bytes of all files. Blocking; raises the first Fault, and leaves what was unpacked until then."""
    plain = PlainStream(feed)
    try:
        summary = extract(plain.readinto, directory, feed.limit)
        plain.drain()
        if feed.hasher is not None:
            feed.hasher.verify()
    finally:
        plain.close()
    return summary.bytes
