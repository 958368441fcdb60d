from __future__ import annotations

import errno
import os

import pytest

from cdi.base.faults import Fault
from importer.sinks.refusal import fault_of, refusals


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ENOSPC, "NoSpace"),
        (errno.EDQUOT, "NoSpace"),
        (errno.EACCES, "TargetDenied"),
        (errno.EPERM, "TargetDenied"),
        (errno.EROFS, "TargetReadOnly"),
        (errno.ENOENT, "TargetMissing"),
        (errno.ENOTDIR, "TargetMissing"),
        (errno.EBUSY, "TargetBusy"),
        (errno.EAGAIN, "TargetBusy"),
        (errno.EIO, "TargetFailed"),
        (errno.ENXIO, "TargetFailed"),
    ],
)
def test_every_refusal_of_the_kernel_has_its_code(number: int, code: str) -> None:
    fault = fault_of(OSError(number, os.strerror(number)), "/data/disk.img", 4096)
    assert fault.code == code
    assert "/data/disk.img" in fault.message


def test_the_message_says_where_and_why() -> None:
    fault = fault_of(OSError(errno.ENOSPC, "x"), "/data/disk.img", 4096)
    assert fault.what == "/data/disk.img is full: writing at byte 4096 failed (No space left on device)."


def test_a_refusal_inside_is_chained_and_other_errors_pass() -> None:
    with pytest.raises(Fault) as caught, refusals("t"):
        os.open("/nowhere/at/all", os.O_RDONLY)
    assert isinstance(caught.value.__cause__, FileNotFoundError)
    with pytest.raises(KeyError), refusals("t"):
        raise KeyError("a bug stays a bug")
