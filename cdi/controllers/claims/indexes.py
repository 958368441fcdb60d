"""Indexes that several controllers ask for: each is kept once, for whoever names it first."""

from __future__ import annotations

from cdi.kube.pods import Pod
from cdi.kube.storage import StorageClass, VolumeSnapshotClass

USED = "used"  # of pods, also of those that have ended, by the claims that they have
PROVIDED = "provided"  # of classes, of storage and of snapshots, by driver


def claims_of(pod: Pod) -> list[str]:
    """As namespace/name."""
    return [f"{pod.metadata.namespace}/{name}" for name in pod.claims]


def provisioner_of(item: StorageClass) -> list[str]:
    return [item.provisioner]


def driver_of(item: VolumeSnapshotClass) -> list[str]:
    return [item.driver]
