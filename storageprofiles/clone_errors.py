"""Whether a provisioner has given up for good, read off what it says in an event or a snapshot's status. Pure.

Facts of kubernetes-csi/external-provisioner and external-snapshotter: a gRPC code stands in the text as
``rpc error: code = X desc = ...``. After Canceled, DeadlineExceeded, Unavailable and Aborted the driver may still be at
work, and the volume appear later; ResourceExhausted is tried again elsewhere; after the others nothing goes on. What is
no gRPC error may be anything, but for the checks of the driver's capabilities, which come before any call.
"""

from __future__ import annotations

import re

_LONGEST = 4096  # characters that are looked at: events have 1024
_CODE = re.compile(r"rpc error: code = ([A-Za-z]{1,24}) desc = ")
_UNABLE = re.compile(r"CSI driver does not support [a-z ]{1,40}: controller [A-Z_]{1,40} capability is not reported")
_FINAL = frozenset(
    [
        "Unknown",
        "InvalidArgument",
        "NotFound",
        "AlreadyExists",
        "PermissionDenied",
        "FailedPrecondition",
        "OutOfRange",
        "Unimplemented",
        "Internal",
        "DataLoss",
        "Unauthenticated",
    ]
)
UNABLE = "DriverUnable"


def final_error(message: str) -> str | None:
    """The gRPC code of an error after which the same method is not tried again, or ``DriverUnable``. None: it may still
    succeed, or it says nothing of the kind. Of errors in errors the outer one counts."""
    said = message[:_LONGEST]
    found = _CODE.search(said)
    if found is not None:
        return found[1] if found[1] in _FINAL else None
    return UNABLE if _UNABLE.search(said) else None
