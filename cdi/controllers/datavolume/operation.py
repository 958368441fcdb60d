"""What a DataVolume asks for. Pure."""

from __future__ import annotations

from enum import Enum

from cdi.api.datavolume import DataVolume
from cdi.base.sources import is_imported


class Operation(Enum):
    NONE = "none"
    IMPORT = "import"
    UPLOAD = "upload"
    CLONE = "clone"
    EXTERNAL = "external population"  # somebody else fills the claim
    UNSERVED = "unserved"  # accepted, but no controller of this version acts on it


_CLONED = ("pvc", "snapshot")


def operation_of(volume: DataVolume) -> tuple[Operation, str]:
    """The operation and, for people, the source's name."""
    spec = volume.spec
    if spec.source_ref is not None:
        return Operation.CLONE, "sourceRef"  # all that a DataSource can name is cloned
    members = spec.source.members if spec.source is not None else []
    if not members:
        external = spec.target.data_source or spec.target.data_source_ref
        return (Operation.EXTERNAL, external.name) if external else (Operation.NONE, "")
    if members[0] in _CLONED:
        return Operation.CLONE, members[0]
    if members[0] == Operation.UPLOAD.value:
        return Operation.UPLOAD, members[0]
    return (Operation.IMPORT if is_imported(members[0]) else Operation.UNSERVED), members[0]
