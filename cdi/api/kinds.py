"""Every kind that is stored: its type, its names, and what ``kubectl get`` shows of it."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import Struct

from cdi.api import (
    cdi,
    cdiconfig,
    dataimportcron,
    datasource,
    datavolume,
    forklift,
    objecttransfer,
    populators,
    storageprofile,
)

_BOTH = ("v1beta1", "v1alpha1")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of ``kubectl get``. ``type`` is date, integer or string; wide ones are shown with -o wide only."""

    name: str
    path: str
    type: str = "string"
    meaning: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A custom resource. ``versions`` are served with one schema; the first is stored and preferred."""

    name: str
    type: type[Struct]
    group: str = datavolume.GROUP
    short: tuple[str, ...] = ()
    namespaced: bool = True
    listed_in_all: bool = False
    has_status_subresource: bool = False
    versions: tuple[str, ...] = ("v1beta1",)
    columns: tuple[Column, ...] = field(default=())

    @property
    def singular(self) -> str:
        return self.name.lower()

    @property
    def plural(self) -> str:
        return f"{self.singular}s"


_AGE = Column("Age", ".metadata.creationTimestamp", "date")
_PHASE = Column("Phase", ".status.phase")

_DATA_VOLUME_COLUMNS = (
    Column("Phase", ".status.phase", meaning="What the volume is at."),
    Column("Progress", ".status.progress", meaning="How much is transferred, or N/A."),
    Column("Restarts", ".status.restartCount", "integer", meaning="How often the worker was restarted."),
    _AGE,
    Column("Rate", ".status.transfer.rate", meaning="How fast the data comes."),
    Column("ETA", ".status.transfer.eta", meaning="Time that is left."),
    Column("Reason", ".status.failure.code", meaning="What is wrong: see docs/errors.md."),
)

KINDS = (
    Kind(
        datavolume.KIND,
        datavolume.DataVolume,
        short=("dv", "dvs"),
        listed_in_all=True,
        has_status_subresource=True,
        versions=_BOTH,
        columns=_DATA_VOLUME_COLUMNS,
    ),
    Kind(datasource.KIND, datasource.DataSource, short=("das",), listed_in_all=True),
    Kind(
        dataimportcron.KIND,
        dataimportcron.DataImportCron,
        short=("dic", "dics"),
        listed_in_all=True,
        columns=(Column("Format", ".status.sourceFormat", meaning="What is kept of an import: pvc or snapshot."),),
    ),
    Kind(storageprofile.KIND, storageprofile.StorageProfile, namespaced=False, has_status_subresource=True),
    Kind(cdiconfig.KIND, cdiconfig.CDIConfig, namespaced=False),
    Kind(cdi.KIND, cdi.CDI, short=("cdi", "cdis"), namespaced=False, versions=_BOTH, columns=(_AGE, _PHASE)),
    Kind(
        objecttransfer.KIND,
        objecttransfer.ObjectTransfer,
        short=("ot", "ots"),
        namespaced=False,
        has_status_subresource=True,
        columns=(_AGE, _PHASE),
    ),
    Kind(populators.IMPORT_KIND, populators.VolumeImportSource),
    Kind(populators.UPLOAD_KIND, populators.VolumeUploadSource),
    Kind(populators.CLONE_KIND, populators.VolumeCloneSource),
    Kind(forklift.OVIRT_KIND, forklift.OvirtVolumePopulator, group=forklift.GROUP, short=("ovvp", "ovvps")),
    Kind(forklift.OPENSTACK_KIND, forklift.OpenstackVolumePopulator, group=forklift.GROUP, short=("osvp", "osvps")),
)
