"""What is known of one DataVolume."""

from __future__ import annotations

from dataclasses import dataclass, field

from cdi.api.datasource import DataSource
from cdi.api.datavolume import DataVolume
from cdi.api.populators import VolumeSource
from cdi.base.wire.progress import ProgressLine
from cdi.controllers.cluster import Cluster
from cdi.controllers.datavolume.cloned import Cloned
from cdi.controllers.datavolume.filling import Work, filling_of
from cdi.controllers.settings import Settings
from cdi.kube.storage import PersistentVolume, PersistentVolumeClaim, StorageClass
from storageprofiles.rendering import Profile


@dataclass(frozen=True, slots=True)
class Observed:
    """``storage_class``: of the claim, or of the claim to be made; None where there is none. ``named_class``: what the
    claim is to say. ``profile``: of that class; ``is_assumed``: nobody knows what it can do. ``has_driver``: whether a
    CSI driver serves it. ``volumes``: Available ones that are reserved for the claim. ``progress``: of a
    worker that runs. ``now``: RFC 3339. ``is_being_filled``: something was asked of the claim, and there is no sign
    that it was done. ``clone``: of a clone, what else is known of it.
    """

    volume: DataVolume
    claim: PersistentVolumeClaim | None = None
    source: VolumeSource | None = None
    referred: DataSource | None = None
    storage_class: StorageClass | None = None
    named_class: str | None = None
    profile: Profile | None = None
    is_assumed: bool = False
    has_driver: bool = False
    volumes: tuple[PersistentVolume, ...] = ()
    progress: ProgressLine | None = None
    now: str = ""
    cluster: Cluster = field(default_factory=Cluster)
    settings: Settings = field(default_factory=Settings)
    is_being_filled: bool = False
    clone: Cloned | None = None

    @property
    def uid(self) -> str:
        return self.volume.metadata.uid

    @property
    def work(self) -> Work | None:
        """None: nothing that is done here, or not yet known."""
        return filling_of(self.volume)
