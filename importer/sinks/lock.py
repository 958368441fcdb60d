"""A file of our own that only one process works with: locked as long as its descriptor is open."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from pathlib import Path

from cdi.base.faults import Fault

_FILE, _LINK = "a file", "a symbolic link"
_KINDS = {
    stat.S_IFREG: _FILE,
    stat.S_IFLNK: _LINK,
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFBLK: "a block device",
    stat.S_IFCHR: "a character device",
}
_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # NFS without a lock daemon


def open_locked(path: Path, mode: int) -> tuple[int, bool]:
    """(descriptor that holds the exclusive lock, whether the file was there with content). Made with ``mode`` when it
    is not there; no link is followed. Raises OSError, EWOULDBLOCK while another process has the lock, and the faults of
    ``require_file``."""
    while True:
        require_file(path)  # before it is opened: that may block, or do something to a device
        # O_NONBLOCK: for a FIFO that came just now. It means nothing for files.
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK, mode)
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                continue
            _lock(fd)
            # The former holder may have renamed or removed the file between our open and our lock.
            if is_at(fd, path):
                locked, fd = fd, -1
                return locked, os.fstat(locked).st_size > 0
        finally:
            if fd >= 0:
                os.close(fd)


def require_file(path: Path) -> None:
    """Fault TargetForeign, of a link TargetFailed, when something else than a file has the name ``path``. Raises
    OSError."""
    what = kind_at(path)
    if what == _LINK:
        raise Fault("TargetFailed", target=path, offset=0, cause=f"{what} has the name, and none is followed")
    if what not in (None, _FILE):
        raise foreign(path, str(what))


def kind_at(path: Path) -> str | None:
    """A noun for what has the name ``path``; None when nothing has. Raises OSError."""
    try:
        return _KINDS[stat.S_IFMT(path.lstat().st_mode)]
    except FileNotFoundError:
        return None


def is_file_or_nothing(path: Path) -> bool:
    return kind_at(path) in (None, _FILE)


def may_be_planted(fd: int, path: Path) -> bool:
    """Whether the open file is somebody else's, in a directory where everybody may make one: it, and what it says, can
    be meant for whoever takes it for his own. Raises OSError."""
    return os.fstat(fd).st_uid != os.geteuid() and bool(path.parent.stat().st_mode & stat.S_IWOTH)


def foreign(path: Path, what: str) -> Fault:
    """``what``: a noun for what is there."""
    return Fault("TargetForeign", name=str(path), kind=what)


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def is_at(fd: int, path: Path) -> bool:
    """Whether ``path`` is (still) a name of the open file."""
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
