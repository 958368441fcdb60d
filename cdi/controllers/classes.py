"""Storage classes and their profiles in the cluster, as the pure profiles see them."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.api.storageprofile import MINIMUM_SIZE, StorageProfile
from cdi.base.units import size_or_none
from cdi.controllers.cluster import DEFAULT_CLAIM_PROPERTIES, Cluster
from cdi.kube.storage import PersistentVolume, StorageClass
from storageprofiles import classes
from storageprofiles.capabilities import WITHOUT_DISKS
from storageprofiles.rendering import ClaimPropertySet, Profile

# What any storage can do; a file system, unless a device is asked for.
_ANYTHING = (ClaimPropertySet(("ReadWriteOnce",)), ClaimPropertySet(("ReadWriteOnce",), "Block"))


def plain(found: StorageClass) -> classes.StorageClass:
    metadata = found.metadata
    created = metadata.creation_timestamp or ""
    return classes.StorageClass(metadata.name, found.provisioner, found.parameters, metadata.annotations, created)


def sets_of_volumes(volumes: Iterable[PersistentVolume]) -> tuple[ClaimPropertySet, ...]:
    """Of a class without an object: volumes that say they are of it are all there is."""
    free = (item.spec for item in volumes if item.status.phase == "Available")
    return tuple(ClaimPropertySet(tuple(spec.access_modes), spec.volume_mode or "Filesystem") for spec in free)


def is_assumed(found: StorageProfile, cluster: Cluster) -> bool:
    """Whether nothing is known of the class, and a default stands in for that. A profile whose status was not written
    yet says nothing of the kind: its class may well be known."""
    provisioner = found.status.provisioner
    if not provisioner or provisioner in WITHOUT_DISKS:  # of the latter nothing is to be known but their volumes
        return False
    return not found.status.claim_property_sets and DEFAULT_CLAIM_PROPERTIES in cluster.gates


def profile(found: StorageProfile, cluster: Cluster) -> Profile:
    name = found.metadata.name
    sets = tuple(
        ClaimPropertySet(tuple(item.access_modes), item.volume_mode) for item in found.status.claim_property_sets
    )
    if is_assumed(found, cluster):
        sets = _ANYTHING
    overhead = cluster.overhead(name, "Filesystem")
    return Profile(name, sets, overhead, _minimum(found))


def _minimum(found: StorageProfile) -> int:
    """Bytes. What is no size counts as none: it must not stop every volume of the class."""
    return size_or_none(found.metadata.annotations.get(MINIMUM_SIZE, "0")) or 0
