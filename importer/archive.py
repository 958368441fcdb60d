"""A tar stream, unpacked into a directory: the ``archive`` content type.

As ``tar --extract --preserve-permissions --no-same-owner`` does it, except: set-user-ID and set-group-ID bits of files
are dropped (the owner becomes whoever unpacks, often root), times of directories are not restored, long runs of zeros
become holes, and no entry is written through a symbolic link. Links themselves may point anywhere, as tar leaves them:
they are no write.
"""

from __future__ import annotations

import errno
import os
from dataclasses import dataclass
from pathlib import Path

from cdi.base.faults import Fault
from importer.archive_entries import PIECE, Entry, Kind, TarStream
from importer.archive_header import invalid, shown
from importer.archive_tree import Tree, unsafe
from importer.decode import ReadInto
from importer.sinks.refusal import fault_of

_ZEROS = bytes(PIECE)
_OWNER_CAN_USE = 0o700
_LATE_NAMES_MOST = 32 << 20  # bytes of names of directories that even the owner may not write in


@dataclass(frozen=True, slots=True)
class ArchiveSummary:
    entries: int
    bytes: int  # of all files, holes included


def extract(read: ReadInto, directory: Path, limit: int | None) -> ArchiveSummary:
    """Unpack up to the archive's end mark; everything is on stable storage when this returns. Blocking.

    ``read`` gives plain tar, and is not read behind the end mark. ``limit``: bytes of data that may be written.
    Files that exist are replaced; on a Fault what was unpacked stays. Raises ArchiveInvalid, ArchiveUnsafe,
    TargetOutgrown, and the faults of a target.
    """
    try:
        tree = Tree(directory)
    except OSError as error:
        raise fault_of(error, str(directory)) from error
    try:
        return _Extraction(read, tree, directory, limit).run()
    finally:
        tree.close()


class _Extraction:
    def __init__(self, read: ReadInto, tree: Tree, directory: Path, limit: int | None) -> None:
        self._tar = TarStream(read)
        self._tree = tree
        self._directory = directory
        self._limit = limit
        self._written = 0
        self._late_modes: list[tuple[bytes, int]] = []
        self._late_names = 0

    def run(self) -> ArchiveSummary:
        entries = size = 0
        while (entry := self._tar.next()) is not None:
            try:
                self._unpack(entry)
            except OSError as error:
                raise self._fault(entry, error) from error
            entries += 1
            size += entry.size if entry.kind is Kind.FILE else 0
        self._finish()
        return ArchiveSummary(entries, size)

    def _unpack(self, entry: Entry) -> None:
        match entry.kind:
            case Kind.FILE:
                self._unpack_file(entry)
            case Kind.DIRECTORY:
                self._unpack_directory(entry)
            case Kind.SYMLINK:
                self._tree.create_symlink(entry.name, entry.target)
            case Kind.HARDLINK:
                self._tree.create_hardlink(entry.name, entry.target)
            case Kind.FIFO:
                self._tree.create_fifo(entry.name, entry.mode & 0o1777, entry.mtime)
            case Kind.DEVICE:
                raise unsafe(entry.name, f"is {entry.kind.value}")
            case Kind.NONE:
                pass

    def _unpack_file(self, entry: Entry) -> None:
        self._written += entry.stored
        if self._limit is not None and self._written > self._limit:
            raise Fault("TargetOutgrown", source="the archive", limit=f"{self._limit:,}")
        file = self._tree.create_file(entry.name)
        try:
            self._tar.copy(entry, lambda offset, data: _write(file, offset, data))
            os.ftruncate(file, entry.size)
            os.fchmod(file, entry.mode & 0o1777)
            os.utime(file, (entry.mtime, entry.mtime))
        finally:
            os.close(file)

    def _unpack_directory(self, entry: Entry) -> None:
        self._tree.make_directory(entry.name)
        mode = entry.mode & 0o3777
        if mode & _OWNER_CAN_USE != _OWNER_CAN_USE and self._late_names < _LATE_NAMES_MOST:
            self._late_modes.append((entry.name, mode))
            self._late_names += len(entry.name) + 64  # an empty one takes memory too
        self._tree.set_mode(entry.name, mode | _OWNER_CAN_USE)

    def _finish(self) -> None:
        try:
            for name, mode in reversed(self._late_modes):
                self._tree.set_mode(name, mode)
            self._tree.flush()
        except OSError as error:
            raise fault_of(error, str(self._directory)) from error

    def _fault(self, entry: Entry, error: OSError) -> Fault:
        if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EFBIG):
            return invalid(f"{shown(entry.name)!r} cannot be made on this file system ({error.strerror})")
        return fault_of(error, str(self._directory / shown(entry.name)), self._written)


def _write(file: int, offset: int, data: memoryview) -> None:
    if len(data) == PIECE and data.obj == _ZEROS:  # the whole bytearray: comparing memoryviews is 20 times slower
        return
    while data:
        count = os.pwrite(file, data, offset)
        data, offset = data[count:], offset + count
