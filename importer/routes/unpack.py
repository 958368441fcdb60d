"""ARCHIVE: the entries of a tar, decompressed on the way, into a directory.

A checksum can only be verified behind the last byte, when files stand there already: on any fault everything that the
directory holds, but lost+found, is removed again.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from cdi.base.faults import Fault
from importer.archive import extract
from importer.routes.plain import PlainSource, PlainStream


def run(feed: PlainSource, directory: Path) -> int:
    """Unpack; the bytes of all files. Blocking; raises the first Fault and then leaves the directory empty."""
    plain = PlainStream(feed)
    try:
        summary = extract(plain.readinto, directory, feed.limit)
        plain.drain()
        if feed.hasher is not None:
            feed.hasher.verify()
    except Fault:
        _empty(directory)
        raise
    finally:
        plain.close()
    return summary.bytes


def _empty(directory: Path) -> None:
    for entry in directory.iterdir():
        if entry.name == "lost+found":
            continue
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
