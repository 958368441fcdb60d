"""A directory that an archive is unpacked into: every name is walked part by part and no link is ever followed."""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from cdi.base.faults import Fault
from importer.archive_header import invalid, shown

MARK = ".cdi-unpacking"  # see ``importer.routes.unfinished``
_NAME_MOST = 4096  # PATH_MAX
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


def unsafe(entry: bytes, detail: str) -> Fault:
    return Fault("ArchiveUnsafe", entry=shown(entry), detail=detail)


def parts_of(name: bytes, entry: bytes) -> list[bytes]:
    """The parts of a name below the directory, none for itself; an absolute one begins there, as tar has it.
    ArchiveUnsafe for one that leads elsewhere, ArchiveInvalid for what is ours: with it an archive could have other
    things taken for its own, and removed."""
    parts = [part for part in name.split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise unsafe(entry, "climbs out with '..'")
    if len(name) > _NAME_MOST or b"\0" in name:
        raise invalid("an entry has an impossible name")
    if parts and parts[0] == MARK.encode():
        raise invalid(f"it holds {MARK}, so it was made of a directory that was not unpacked whole")
    return parts


def _linked_parts(target: bytes, entry: bytes) -> list[bytes]:
    """Of the name that a hard link gives to a file of the archive: tar takes what stands behind the last '..'."""
    parts = target.split(b"/")
    while b".." in parts:
        del parts[: parts.index(b"..") + 1]
    return parts_of(b"/".join(parts), entry)


class Tree:
    """Creates below ``directory``, which must exist; what stands in the way is replaced, directories are kept.

    Close it. OSErrors leave it as they are, except for links in the way, which are ArchiveUnsafe.
    """

    def __init__(self, directory: Path) -> None:
        self._root = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)

    def close(self) -> None:
        os.close(self._root)

    def make_directory(self, name: bytes) -> None:
        """Make it if it is not there, for the owner to write in."""
        parts = parts_of(name, name)
        if not parts:
            return
        with self._parent(parts, name) as parent:
            if not _is_directory(parent, parts[-1]):
                with suppress(FileNotFoundError):
                    os.unlink(parts[-1], dir_fd=parent)
                os.mkdir(parts[-1], 0o755, dir_fd=parent)

    def set_mode(self, name: bytes, mode: int) -> None:
        """Of a directory; the volume's own and lost+found belong to the volume and keep theirs."""
        parts = parts_of(name, name)
        if parts and parts != [b"lost+found"]:
            with self._walk(parts, name) as directory:
                os.fchmod(directory, mode)

    def create_file(self, name: bytes) -> int:
        """An open, new, empty file; the caller closes it."""
        with self._place(name) as (parent, last):
            return os.open(last, _FILE, 0o600, dir_fd=parent)

    def create_symlink(self, name: bytes, target: bytes) -> None:
        """Wherever it points: a link is no write, and nothing here goes through one."""
        if not target or b"\0" in target:
            raise invalid(f"{shown(name)!r} is a link to nothing")
        with self._place(name) as (parent, last):
            os.symlink(target, last, dir_fd=parent)

    def create_fifo(self, name: bytes, mode: int, mtime: int) -> None:
        with self._place(name) as (parent, last):
            os.mkfifo(last, 0o600, dir_fd=parent)
            os.chmod(last, mode, dir_fd=parent)
            os.utime(last, (mtime, mtime), dir_fd=parent, follow_symlinks=False)

    def create_hardlink(self, name: bytes, target: bytes) -> None:
        """To a regular file or symbolic link that is there already."""
        parts = _linked_parts(target, name)
        if parts == parts_of(name, name):
            return  # tar leaves a file that is linked to itself
        with self._parent(parts or [b"."], name, make=False) as source:
            if not parts or not _may_be_linked(source, parts[-1]):
                raise unsafe(name, f"is a hard link to {shown(target)!r}, which is no file of this archive")
            with self._place(name) as (parent, last):
                os.link(parts[-1], last, src_dir_fd=source, dst_dir_fd=parent, follow_symlinks=False)

    def flush(self) -> None:
        """Everything of this file system to stable storage: one call instead of one fsync per file."""
        library = ctypes.CDLL(None, use_errno=True)
        if library.syncfs(self._root):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    @contextmanager
    def _place(self, name: bytes) -> Iterator[tuple[int, bytes]]:
        """(directory, last part) where nothing is in the way."""
        parts = parts_of(name, name)
        if not parts:
            raise invalid("an entry that is no directory has no name")
        with self._parent(parts, name) as parent:
            if _is_directory(parent, parts[-1]):
                raise invalid(f"{shown(name)!r} is both a directory and something else")
            with suppress(FileNotFoundError):
                os.unlink(parts[-1], dir_fd=parent)
            yield parent, parts[-1]

    @contextmanager
    def _parent(self, parts: list[bytes], entry: bytes, make: bool = True) -> Iterator[int]:
        with self._walk(parts[:-1], entry, make) as parent:
            yield parent

    @contextmanager
    def _walk(self, parts: list[bytes], entry: bytes, make: bool = False) -> Iterator[int]:
        current = os.dup(self._root)
        try:
            for part in parts:
                below = _enter(current, part, entry, make)
                os.close(current)
                current = below
            yield current
        finally:
            os.close(current)


def _enter(parent: int, part: bytes, entry: bytes, make: bool) -> int:
    if make:
        with suppress(FileExistsError):
            os.mkdir(part, 0o755, dir_fd=parent)
    try:
        return os.open(part, _DIRECTORY, dir_fd=parent)
    except OSError as error:
        if error.errno in (errno.ENOTDIR, errno.ELOOP):
            raise unsafe(entry, f"goes through {shown(part)!r}, which is no directory") from error
        if error.errno == errno.ENOENT and not make:
            raise unsafe(entry, f"refers to {shown(part)!r}, which is not there") from error
        raise


def _is_directory(parent: int, part: bytes) -> bool:
    try:
        return stat.S_ISDIR(os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode)
    except FileNotFoundError:
        return False


def _may_be_linked(parent: int, part: bytes) -> bool:
    try:
        mode = os.stat(part, dir_fd=parent, follow_symlinks=False).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)
