"""What the kernel refused, as a Fault: the one place where errno becomes a code of the catalogue."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from cdi.base.faults import Fault

_CODES = {
    errno.ENOSPC: "NoSpace",
    errno.EDQUOT: "NoSpace",
    errno.EACCES: "TargetDenied",
    errno.EPERM: "TargetDenied",
    errno.EROFS: "TargetReadOnly",
    errno.ENOENT: "TargetMissing",
    errno.ENOTDIR: "TargetMissing",
    errno.EBUSY: "TargetBusy",
    errno.ETXTBSY: "TargetBusy",
    errno.EWOULDBLOCK: "TargetBusy",  # what flock(LOCK_NB) says
}


def fault_of(error: OSError, target: str, offset: int = 0) -> Fault:
    """The fault of writing ``target`` at byte ``offset``."""
    code = _CODES.get(error.errno or 0, "TargetFailed")
    cause = os.strerror(error.errno) if error.errno else str(error)
    return Fault(code, target=target, offset=offset, cause=cause, uid=os.geteuid(), gid=os.getegid())


@contextmanager
def refusals(target: str, offset: int = 0) -> Iterator[None]:
    """Raise every OSError inside as its Fault."""
    try:
        yield
    except OSError as error:
        raise fault_of(error, target, offset) from error
