"""The files of a claim as a tar, with their metadata: what is cloned of an archive.

Whoever filled the claim is not believed: every name is opened from the directory that holds it, no link is followed,
and there are no devices.
"""

from __future__ import annotations

import io
import os
import stat
import tarfile
from collections.abc import Callable
from pathlib import Path

from cdi.base.faults import Fault
from cdi.base.printable import one_line
from cdi.base.units import MiB

_PIECE = MiB
_NOT_OURS = "lost+found"  # the file system's
_ROOT = "."
_OPEN = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def pack(root: Path, write: Callable[[bytes], None]) -> None:
    """Everything below ``root`` but its lost+found, given to ``write`` piece by piece. Blocking. Raises Fault, and what
    ``write`` raises."""
    with tarfile.open(fileobj=_Writer(write), mode="w|", bufsize=_PIECE, format=tarfile.PAX_FORMAT) as tar:
        _Packing(root, tar).run()


class _Writer(io.RawIOBase):
    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._give = write

    def write(self, data: object) -> int:
        assert isinstance(data, bytes)
        self._give(data)
        return len(data)


class _Packing:
    def __init__(self, root: Path, tar: tarfile.TarFile) -> None:
        self._root, self._tar = root, tar
        self._linked: dict[tuple[int, int], str] = {}  # first name of each file that has several

    def run(self) -> None:
        # The first bytes of the stream are ours: a claim's first name may look like the head of something else.
        self._tar.addfile(self._info(_ROOT, self._root.stat()))
        for place, directories, names, directory in os.fwalk(self._root, onerror=self._raise):
            if Path(place) == self._root and _NOT_OURS in directories:
                directories.remove(_NOT_OURS)
            directories.sort()
            for name in (*directories, *sorted(names)):
                try:
                    self._add(os.path.relpath(os.path.join(place, name), self._root), name, directory)
                except OSError as error:
                    self._raise(error)

    def _raise(self, error: OSError) -> None:
        cause = (error.strerror or type(error).__name__).lower()
        raise Fault("FileUnreadable", source=one_line(str(error.filename or self._root)), cause=cause) from error

    def _add(self, path: str, name: str, directory: int) -> None:
        facts = os.stat(name, dir_fd=directory, follow_symlinks=False)
        info = self._info(path, facts)
        if stat.S_ISREG(facts.st_mode):
            self._add_file(info, facts, name, directory)
        elif stat.S_ISDIR(facts.st_mode) or stat.S_ISFIFO(facts.st_mode):
            self._tar.addfile(info)
        elif stat.S_ISLNK(facts.st_mode):
            info.linkname = os.readlink(name, dir_fd=directory)
            self._tar.addfile(info)
        elif not stat.S_ISSOCK(facts.st_mode):  # of a process that listens, and no content
            raise Fault("FileUnreadable", source=one_line(path), cause="it is a device, and those are not cloned")

    def _add_file(self, info: tarfile.TarInfo, facts: os.stat_result, name: str, directory: int) -> None:
        first = self._linked.setdefault((facts.st_dev, facts.st_ino), info.name) if facts.st_nlink > 1 else info.name
        if first != info.name:
            info.type, info.linkname = tarfile.LNKTYPE, first
            self._tar.addfile(info)
            return
        with open(os.open(name, _OPEN, dir_fd=directory), "rb", buffering=0) as file:
            now = os.fstat(file.fileno())
            if not os.path.samestat(now, facts) or not stat.S_ISREG(now.st_mode):
                raise Fault("FileUnreadable", source=one_line(info.name), cause="it was replaced as it was opened")
            info.size = now.st_size
            self._tar.addfile(info, file)

    def _info(self, path: str, facts: os.stat_result) -> tarfile.TarInfo:
        info = tarfile.TarInfo(path)
        info.mode, info.uid, info.gid, info.mtime = (
            stat.S_IMODE(facts.st_mode),
            facts.st_uid,
            facts.st_gid,
            facts.st_mtime,
        )
        types = {stat.S_IFDIR: tarfile.DIRTYPE, stat.S_IFLNK: tarfile.SYMTYPE, stat.S_IFIFO: tarfile.FIFOTYPE}
        info.type = types.get(stat.S_IFMT(facts.st_mode), tarfile.REGTYPE)
        return info
