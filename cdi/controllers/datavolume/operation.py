"""What a DataVolume asks for. Pure."""

from __future__ import annotations

from enum import Enum

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.base.sources import is_imported


class Operation(Enum):
    NONE = "none"  # nothing yet: what it refers to is not there
    IMPORT = "import"
    UPLOAD = "upload"
    EXTERNAL = "external population"  # somebody else fills the claim
    UNSERVED = "unserved"  # accepted, but no controller of this version acts on it


def operation_of(volume: DataVolume, referred: DataSource | None) -> tuple[Operation, str]:
    """The operation and, for people, the source's name. ``referred``: what ``sourceRef`` names."""
    spec = volume.spec
    if spec.source_ref is not None:
        if referred is None or not _resolves(referred):
            return Operation.NONE, "sourceRef"
        return Operation.UNSERVED, "sourceRef"  # all that a DataSource can name is cloned
    members = spec.source.members if spec.source is not None else []
    if not members:
        external = spec.target.data_source or spec.target.data_source_ref
        return (Operation.EXTERNAL, external.name) if external else (Operation.NONE, "")
    if members[0] == Operation.UPLOAD.value:
        return Operation.UPLOAD, members[0]
    return (Operation.IMPORT if is_imported(members[0]) else Operation.UNSERVED), members[0]


def _resolves(referred: DataSource) -> bool:
    found = referred.status.source
    return any(item is not None for item in (found.pvc, found.snapshot, referred.spec.source.pvc))
