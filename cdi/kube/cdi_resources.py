"""Where our own kinds live in the API."""

from __future__ import annotations

from cdi.api.datavolume import GROUP, DataVolume
from cdi.api.storageprofile import StorageProfile
from cdi.kube.resources import Resource

DATA_VOLUMES = Resource(GROUP, "v1beta1", "datavolumes", "DataVolume", True, DataVolume)
STORAGE_PROFILES = Resource(GROUP, "v1beta1", "storageprofiles", "StorageProfile", False, StorageProfile)
