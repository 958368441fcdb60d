"""Where our own kinds live in the API."""

from __future__ import annotations

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig
from cdi.api.dataimportcron import DataImportCron
from cdi.api.datasource import DataSource
from cdi.api.datavolume import GROUP, DataVolume
from cdi.api.forklift import GROUP as FORKLIFT
from cdi.api.forklift import OpenstackVolumePopulator, OvirtVolumePopulator
from cdi.api.objecttransfer import ObjectTransfer
from cdi.api.populators import VolumeCloneSource, VolumeImportSource, VolumeUploadSource
from cdi.api.storageprofile import StorageProfile
from cdi.api.uploadtoken import GROUP as UPLOADS
from cdi.api.uploadtoken import UploadTokenRequest
from cdi.kube.resources import Resource

_V = "v1beta1"

DATA_VOLUMES = Resource(GROUP, _V, "datavolumes", "DataVolume", True, DataVolume)
DATA_SOURCES = Resource(GROUP, _V, "datasources", "DataSource", True, DataSource)
DATA_IMPORT_CRONS = Resource(GROUP, _V, "dataimportcrons", "DataImportCron", True, DataImportCron)
STORAGE_PROFILES = Resource(GROUP, _V, "storageprofiles", "StorageProfile", False, StorageProfile)
CDI_CONFIGS = Resource(GROUP, _V, "cdiconfigs", "CDIConfig", False, CDIConfig)
CDIS = Resource(GROUP, _V, "cdis", "CDI", False, CDI)
OBJECT_TRANSFERS = Resource(GROUP, _V, "objecttransfers", "ObjectTransfer", False, ObjectTransfer)
VOLUME_IMPORT_SOURCES = Resource(GROUP, _V, "volumeimportsources", "VolumeImportSource", True, VolumeImportSource)
VOLUME_UPLOAD_SOURCES = Resource(GROUP, _V, "volumeuploadsources", "VolumeUploadSource", True, VolumeUploadSource)
VOLUME_CLONE_SOURCES = Resource(GROUP, _V, "volumeclonesources", "VolumeCloneSource", True, VolumeCloneSource)
UPLOAD_TOKEN_REQUESTS = Resource(UPLOADS, _V, "uploadtokenrequests", "UploadTokenRequest", True, UploadTokenRequest)
OVIRT_POPULATORS = Resource(FORKLIFT, _V, "ovirtvolumepopulators", "OvirtVolumePopulator", True, OvirtVolumePopulator)
OPENSTACK_POPULATORS = Resource(
    FORKLIFT, _V, "openstackvolumepopulators", "OpenstackVolumePopulator", True, OpenstackVolumePopulator
)
