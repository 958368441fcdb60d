"""Storage classes of the cluster as the pure profiles see them."""

from __future__ import annotations

from cdi.kube.storage import StorageClass
from storageprofiles import classes


def plain(found: StorageClass) -> classes.StorageClass:
    metadata = found.metadata
    created = metadata.creation_timestamp or ""
    return classes.StorageClass(metadata.name, found.provisioner, found.parameters, metadata.annotations, created)
