"""Whose a journal is, and of which target: it is ours when it begins as ours do, whatever version wrote it."""

from __future__ import annotations

import os
from pathlib import Path

from cdi.base.units import KiB
from importer.fetch.journal import fresh_of, target_named_in
from importer.sinks.lock import foreign, is_file_or_nothing, may_be_planted, require_file
from importer.sinks.refusal import refusals

_HEADER_MOST = 64 * KiB


def vacate(journal: Path, *, is_own: bool) -> None:
    """Nothing but a journal of ours may have the name, nor that under which it is written anew. With ``is_own``, where
    nothing but imports writes, something else is removed; otherwise Fault TargetForeign."""
    for path, ours in ((journal, lambda head: target_named_in(head) is not None), (fresh_of(journal), _may_be_torn)):
        with refusals(str(path)):
            if is_file_or_nothing(path):
                head, planted = _head(path)
                if (is_own or not planted) and (not head or ours(head)):
                    continue
            if is_own:
                path.unlink(missing_ok=True)
                continue
            require_file(path)
            raise foreign(path, "a file")


def target_of(journal: Path) -> str:
    """The identity of the target that it names; empty when there is none."""
    with refusals(str(journal)):
        return target_named_in(_head(journal)[0]) or ""


def _may_be_torn(head: bytes) -> bool:
    """Whoever wrote it was killed."""
    return head.startswith(b'H {"')


def _head(path: Path) -> tuple[bytes, bool]:
    """(its first bytes, whether somebody else may have put it there). Raises OSError."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b"", False
    try:
        return os.pread(fd, _HEADER_MOST, 0), may_be_planted(fd, path)
    finally:
        os.close(fd)
