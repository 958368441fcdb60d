"""A directory that is being unpacked into: marked, so that what a killed attempt left can be told from all else.

    .cdi-unpacking   made, durably, before the first entry; locked while a process works there; removed last

While it has the content that we give it, everything beside it but lost+found was put there by an import, and may go.
Without it nothing that lies in a directory is ever removed.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cdi.base.faults import Fault
from importer.archive_tree import MARK
from importer.sinks.kernel import sync_directory
from importer.sinks.lock import open_locked
from importer.sinks.refusal import refusals

_TEXT = b"All that is here was unpacked by an import that has not ended.\n"

log = logging.getLogger("importer")


@contextmanager
def unfinished(directory: Path, *, over: bool) -> Iterator[None]:
    """Unpack inside: ``directory`` is empty at first, and again after an exception, whatever it is.

    One that holds other things is left with them: with ``over`` it is unpacked over them, and what an exception leaves
    stays; otherwise Fault DirectoryNotEmpty. Fault TargetBusy while another process unpacks there.
    """
    with refusals(str(directory)):
        mark = _marked(directory, over)
    if mark is None:
        yield
        return
    try:
        with refusals(str(directory)):
            _empty(directory)
        yield
        with refusals(str(directory)):
            _remove_mark(directory)
    except BaseException:
        try:
            _empty(directory)
            _remove_mark(directory)
        except OSError as error:
            log.warning("what was unpacked is not all removed, the next attempt does it: %s", error)
        raise
    finally:
        os.close(mark)


def _marked(directory: Path, over: bool) -> int | None:
    """The descriptor that holds the lock; None to unpack over what no import left. Raises OSError, and that Fault."""
    mark, begun = open_locked(directory / MARK, 0o600)
    try:
        if begun and (
            found := os.pread(mark, 2 * len(_TEXT), 0).strip(b"\0")
        ):  # zeros after a power cut: before its end
            if found == _TEXT:
                return mark
            if not over:
                raise Fault("DirectoryNotEmpty", target=str(directory), name=MARK)
            os.close(mark)
            return None
        os.ftruncate(mark, 0)
        other = next(_entries(directory), None)
        if other is None:
            os.write(mark, _TEXT)
            os.fsync(mark)
            sync_directory(directory)
            return mark
        (directory / MARK).unlink()
        if not over:
            raise Fault("DirectoryNotEmpty", target=str(directory), name=other.name)
    except BaseException:
        os.close(mark)
        raise
    os.close(mark)
    return None


def _remove_mark(directory: Path) -> None:
    (directory / MARK).unlink(missing_ok=True)
    sync_directory(directory)


def _entries(directory: Path) -> Iterator[os.DirEntry[str]]:
    with os.scandir(directory) as found:
        yield from [entry for entry in found if entry.name not in (MARK, "lost+found")]


def _empty(directory: Path) -> None:
    """Whatever modes an archive gave its directories, and however deep they lie: each comes up here before it is
    emptied, so that no path grows too long. Raises OSError."""
    while found := list(_entries(directory)):
        for entry in found:
            _remove(entry, directory)


def _remove(entry: os.DirEntry[str], directory: Path) -> None:
    if not entry.is_dir(follow_symlinks=False):
        os.unlink(entry)
        return
    _let_in(entry)
    with os.scandir(entry) as found:
        children = list(found)
    for child in children:
        if child.is_dir(follow_symlinks=False):
            _let_in(child)
            os.rename(child, directory / f"{MARK}.{os.urandom(8).hex()}")
        else:
            os.unlink(child)
    os.rmdir(entry)


def _let_in(entry: os.DirEntry[str]) -> None:
    """Its owner may read, empty and move it. Somebody else's is left: perhaps its group may."""
    mode = entry.stat(follow_symlinks=False).st_mode
    if mode & 0o700 != 0o700:
        with suppress(OSError):
            os.chmod(entry, 0o700)
