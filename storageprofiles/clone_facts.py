"""What decides how a volume is cloned: of the source, the target, the cluster, and what people want. Data only.

Sizes are bytes. Texts that people wrote (annotations) may be anything.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from storageprofiles.snapshot_classes import SnapshotClass


class Method(StrEnum):
    """In the words of the annotation ``cloneType``."""

    CSI_CLONE = "csi-clone"
    SNAPSHOT = "snapshot"
    COPY = "copy"


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A claim that is bound, or a snapshot that is bound to its content.

    ``driver``: of a claim: ``spec.csi.driver`` of its volume, else the provisioner of its class; of a snapshot: of its
    content. ``volume_mode``: Block or Filesystem; of a snapshot its content's ``sourceVolumeMode``, empty where nobody
    says. ``requested`` and ``capacity``: of a claim ``spec.resources`` and ``status.capacity``; of a snapshot both are
    ``status.restoreSize``, 0 where the driver does not know. ``content_type``: kubevirt or archive, empty where nobody
    says. ``snapshot_class``: a claim's StorageProfile's; a snapshot's own ``volumeSnapshotClassName``. ``overhead``: of
    the claim's class, ``0`` for Block. ``unfit``: why it cannot be cloned at all: a snapshot's ``status.error``.
    """

    namespace: str
    name: str
    is_snapshot: bool = False
    driver: str
    volume_mode: str
    requested: int
    capacity: int
    content_type: str = ""
    snapshot_class: str = ""
    overhead: str = "0"
    unfit: str = ""

    @property
    def kind(self) -> str:
        """As the contract's texts have it."""
        return "snapshot" if self.is_snapshot else "pvc"


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """The claim to be filled. ``driver``: the provisioner of its class. ``size``: requested. ``minimum_size``: of the
    StorageProfile. ``expands``: the class's ``allowVolumeExpansion``. ``waits_for_consumer``: its binding mode.
    ``snapshot_class``: of its StorageProfile. ``is_permissive``: annotation ``permissiveClone``, no check of sizes."""

    namespace: str
    name: str
    storage_class: str
    driver: str
    volume_mode: str
    size: int
    content_type: str = "kubevirt"
    minimum_size: int = 0
    snapshot_class: str = ""
    overhead: str = "0"
    expands: bool = False
    waits_for_consumer: bool = False
    is_permissive: bool = False


@dataclass(frozen=True, slots=True)
class ClassFacts:
    name: str
    driver: str
    waits_for_consumer: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """``has_snapshots``: whether snapshot.storage.k8s.io is served. ``by_populator``: a CSIDriver serves the target's
    class (or the user asked for the populator way). ``classes``: all, for the restoring of a snapshot."""

    has_snapshots: bool = True
    by_populator: bool = True
    snapshot_classes: tuple[SnapshotClass, ...] = ()
    classes: tuple[ClassFacts, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """``override``: the CDI object's ``cloneStrategyOverride``. ``profile``: ``status.cloneStrategy`` of the target's
    StorageProfile. Empty where not said. ``asked``: annotation ``cloneType`` as a user wrote it. ``requires_offload``:
    our annotation ``cloneRequire: offload``. ``failed``: methods that were given up at run time, each with why.
    ``begun``: the method at work, which stays as long as it has not failed, whatever else has changed."""

    override: str = ""
    profile: str = ""
    asked: str = ""
    requires_offload: bool = False
    failed: dict[Method, str] = field(default_factory=dict)
    begun: Method | None = None
