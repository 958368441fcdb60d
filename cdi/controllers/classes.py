"""Storage classes and their profiles in the cluster, as the pure profiles see them."""

from __future__ import annotations

from collections.abc import Iterable

from cdi.api.storageprofile import MINIMUM_SIZE, StorageProfile
from cdi.base.units import size_or_none
from cdi.controllers.cluster import DEFAULT_CLAIM_PROPERTIES, Cluster
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass, VolumeSnapshotClass
from storageprofiles import classes
from storageprofiles.capabilities import WITHOUT_DISKS
from storageprofiles.rendering import ClaimPropertySet, Profile
from storageprofiles.snapshot_classes import DEFAULT, SnapshotClass

_PROVISIONED_BY = "pv.kubernetes.io/provisioned-by"
# What any storage can do; a file system, unless a device is asked for.
_ANYTHING = (ClaimPropertySet(("ReadWriteOnce",)), ClaimPropertySet(("ReadWriteOnce",), "Block"))


def plain(found: StorageClass) -> classes.StorageClass:
    metadata = found.metadata
    created = metadata.creation_timestamp or ""
    return classes.StorageClass(metadata.name, found.provisioner, found.parameters, metadata.annotations, created)


def plain_snapshots(found: VolumeSnapshotClass) -> SnapshotClass:
    metadata = found.metadata
    return SnapshotClass(metadata.name, found.driver, metadata.annotations.get(DEFAULT) == "true")


def may_be_untouched(claim: PersistentVolumeClaim, storage_class: StorageClass) -> bool:
    """Whether a new volume of ``claim`` would read as zeroes."""
    return claim.spec.volume_mode == "Block" and classes.new_volumes_are_zeroed(plain(storage_class))


def is_untouched(claim: PersistentVolumeClaim, volume: PersistentVolume, storage_class: StorageClass) -> bool:
    """Whether the volume of ``claim`` is a new one, and reads as zeroes until somebody writes.

    A class says nothing of volumes that were there before: of one that somebody made, or that another claim has left.
    Provisioners name what they make after the claim, whose uid nobody else has ever had.
    """
    is_made_for = volume.metadata.name == f"pvc-{claim.metadata.uid}" and volume.spec.volume_mode == "Block"
    made_by = volume.metadata.annotations.get(_PROVISIONED_BY)
    is_of_class = volume.spec.storage_class_name == storage_class.metadata.name == claim.spec.storage_class_name
    made_here = is_made_for and is_of_class and made_by == storage_class.provisioner
    return made_here and may_be_untouched(claim, storage_class)


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
