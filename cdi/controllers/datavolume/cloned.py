"""What is known of a clone beside the DataVolume and its claim. Data, and what follows from it at once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from cdi.api.populators import VolumeCloneSource
from cdi.api.storageprofile import StorageProfile
from cdi.controllers.datavolume.origin import Origin
from cdi.kube.pods import Pod
from cdi.kube.storage import (
    PersistentVolume,
    PersistentVolumeClaim,
    StorageClass,
    VolumeSnapshot,
    VolumeSnapshotClass,
    VolumeSnapshotContent,
)


@dataclass(frozen=True, slots=True)
class Cloned:
    """``origin``: None where a DataSource leads to nothing; ``trouble`` says why. Of a source that is a claim:
    ``claim``, its ``volume``, and the ``profile`` of its class; ``is_populated``: it holds what was asked of it;
    ``users``: pods that have it, as namespace/name; ``detection``: the pod that looks how large its disk is. Of one
    that is a snapshot: ``snapshot`` and ``content``. ``target_profile``: of the class of the claim to be made.
    ``is_permitted``: by a token on the DataVolume, or because it stays in one namespace; ``is_lasting``: by one that
    does not end in minutes. The same of the claim, where there is one. ``sources``: objects that we made for the claim
    to name, in whatever namespace."""

    origin: Origin | None = None
    trouble: str = ""
    claim: PersistentVolumeClaim | None = None
    volume: PersistentVolume | None = None
    profile: StorageProfile | None = None
    is_populated: bool = False
    users: tuple[str, ...] = ()
    detection: Pod | None = None
    snapshot: VolumeSnapshot | None = None
    content: VolumeSnapshotContent | None = None
    classes: Mapping[str, StorageClass] = field(default_factory=dict)
    snapshot_classes: tuple[VolumeSnapshotClass, ...] = ()
    target_profile: StorageProfile | None = None
    is_permitted: bool = False
    is_lasting: bool = False
    claim_is_lasting: bool = False
    sources: tuple[VolumeCloneSource, ...] = ()

    @property
    def exists(self) -> bool:
        return self.claim is not None or self.snapshot is not None

    @property
    def word(self) -> str:
        """The source for people."""
        return str(self.origin) if self.origin is not None else "its source"
