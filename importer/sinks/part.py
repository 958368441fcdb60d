"""The unfinished disk beside its target: of one process at a time, told from everybody else's files, published last.

It is ours when nothing is in it, when the journal beside it names it, or when it has our mark: an extended attribute,
which some file systems lack. Between the end of the journal and the final name only the mark tells.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from cdi.base.faults import Fault
from importer.sinks import kernel
from importer.sinks.identity import file_identity
from importer.sinks.lock import foreign, is_at, is_file_or_nothing, may_be_planted, open_locked, require_file
from importer.sinks.options import SinkOptions
from importer.sinks.refusal import refusals

MODE = 0o660  # contract: the group (fsGroup 107) must be able to write
_MARK = "user.cdi"
_CANNOT = (errno.EINVAL, errno.ENOSYS)  # what renameat2 says of a file system that knows no RENAME_NOREPLACE
_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


def part_of(path: Path) -> Path:
    return path.with_name(path.name + ".part")


class Part:
    """``fd``: open for reading and writing, and locked. ``fresh``: nothing was there before.

    Faults raised: TargetForeign, TargetExists, TargetBusy, and those of a sink.
    """

    def __init__(self, target: Path, options: SinkOptions) -> None:
        self.path = part_of(target)
        self._target = target
        self._replace = options.replace
        with refusals(str(target)):
            self.fd, self.fresh = self._open(options)

    def _open(self, options: SinkOptions) -> tuple[int, bool]:
        while True:
            if options.is_own and not is_file_or_nothing(self.path):
                self.path.unlink(missing_ok=True)
            fd, existed = open_locked(self.path, MODE)
            try:
                what = self._strange(fd, options)
                if what is None:
                    with suppress(OSError):
                        os.setxattr(fd, _MARK, self._mark_of(fd))
                    return fd, not existed
                if self._is_published(fd) or options.is_own:
                    self.path.unlink(missing_ok=True)
                else:
                    raise foreign(self.path, what)
            except BaseException:
                os.close(fd)
                raise
            os.close(fd)

    def _strange(self, fd: int, options: SinkOptions) -> str | None:
        """What the file is when it is not ours."""
        if os.fstat(fd).st_nlink > 1:
            return "a file with a second name (a hard link)"
        if options.recognise is not None and not options.is_own and may_be_planted(fd, self.path):
            return "a file of another user in a directory where everybody may write"
        if options.recognise is None or _holds_nothing(fd) or self._is_marked(fd):
            return None
        return None if options.recognise(file_identity(fd)) else "a file"

    def _is_published(self, fd: int) -> bool:
        """Killed between the two steps of a publication by link: the disk is there under both names."""
        return self._is_marked(fd) and is_at(fd, self._target)

    def _mark_of(self, fd: int) -> bytes:
        """Of this file under this name: neither a copy nor a published disk that is renamed has it."""
        return sha256(f"{file_identity(fd)} {self.path.name}".encode()).hexdigest()[:16].encode()

    def _is_marked(self, fd: int) -> bool:
        try:
            return os.getxattr(fd, _MARK) == self._mark_of(fd)
        except OSError:
            return False

    def publish(self) -> None:
        """Give the file, which is durable, the name of its target. Nothing that came there meanwhile is replaced unless
        the options say so."""
        with refusals(str(self._target)):
            if not is_at(self.fd, self.path):
                raise Fault("TargetFailed", target=self.path, offset=0, cause="another program removed or replaced it")
            if self._replace:
                require_replaceable(self._target)
                os.rename(self.path, self._target)
            else:
                try:
                    _rename_to_new(self.path, self._target)
                except FileExistsError as error:
                    raise Fault("TargetExists", target=str(self._target)) from error
            with suppress(OSError):
                os.removexattr(self.fd, _MARK)
            kernel.sync_directory(self._target.parent)

    def remove(self) -> None:
        """Its name, if that still is ours."""
        with refusals(str(self._target)):
            if is_at(self.fd, self.path):
                self.path.unlink(missing_ok=True)

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


def require_replaceable(target: Path) -> None:
    """What a disk may take the place of is a file, or a link. Fault TargetForeign; raises OSError."""
    if not target.is_symlink():
        require_file(target)


def _holds_nothing(fd: int) -> bool:
    """Also a file that is all hole, as one is whose first attempt has just begun."""
    try:
        os.lseek(fd, 0, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return True
        return os.fstat(fd).st_size == 0
    return False


def _rename_to_new(path: Path, target: Path) -> None:
    """Raises FileExistsError when ``target`` is there, as a dangling link too."""
    try:
        return kernel.rename_to_new(path, target)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
    try:
        os.link(path, target, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        # An empty file takes the name from whoever comes later, and is what is replaced.
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, MODE))
        os.rename(path, target)
    else:
        path.unlink()
