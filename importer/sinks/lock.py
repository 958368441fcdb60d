"""A file of our own that only one process works with: locked as long as its descriptor is open."""

from __future__ import annotations

import errno
import fcntl
import os
from pathlib import Path

_NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS)  # NFS without a lock daemon


def open_locked(path: Path, mode: int) -> tuple[int, bool]:
    """(descriptor that holds the exclusive lock, whether the file was there with content). Made with ``mode`` when it
    is not there; no link is followed. Raises OSError, EWOULDBLOCK while another process has the lock."""
    while True:
        fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)
        try:
            _lock(fd)
            # The former holder may have renamed or removed the file between our open and our lock.
            if _same(fd, path):
                return fd, os.fstat(fd).st_size > 0
        except BaseException:
            os.close(fd)
            raise
        os.close(fd)


def _lock(fd: int) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise


def _same(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), os.stat(path, follow_symlinks=False))
    except FileNotFoundError:
        return False
