"""Where a kind lives in the API, and what it is decoded into."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar
from urllib.parse import quote

from cdi.kube import objects, pods, storage

T = TypeVar("T")


@dataclass(frozen=True)
class Resource(Generic[T]):
    group: str
    version: str
    plural: str
    kind: str
    namespaced: bool
    type: type[T]

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    def path(self, namespace: str = "", name: str = "", subresource: str = "") -> str:
        """The URL path; without ``name`` that of the collection, without ``namespace`` that of all namespaces."""
        root = "apis" if self.group else "api"
        scope = ["namespaces", namespace] if self.namespaced and namespace else []
        parts = [root, *self.api_version.split("/"), *scope, self.plural, name, subresource]
        return "".join("/" + quote(part, safe="") for part in parts if part)


PODS = Resource("", "v1", "pods", "Pod", True, pods.Pod)
CLAIMS = Resource("", "v1", "persistentvolumeclaims", "PersistentVolumeClaim", True, storage.PersistentVolumeClaim)
VOLUMES = Resource("", "v1", "persistentvolumes", "PersistentVolume", False, storage.PersistentVolume)
CONFIG_MAPS = Resource("", "v1", "configmaps", "ConfigMap", True, objects.ConfigMap)
SECRETS = Resource("", "v1", "secrets", "Secret", True, objects.Secret)
SERVICES = Resource("", "v1", "services", "Service", True, pods.Service)
NAMESPACES = Resource("", "v1", "namespaces", "Namespace", False, objects.Namespace)
NODES = Resource("", "v1", "nodes", "Node", False, objects.Node)
EVENTS = Resource("", "v1", "events", "Event", True, objects.Event)
RESOURCE_QUOTAS = Resource("", "v1", "resourcequotas", "ResourceQuota", True, objects.ResourceQuota)
INGRESSES = Resource("networking.k8s.io", "v1", "ingresses", "Ingress", True, pods.Ingress)
ROUTES = Resource("route.openshift.io", "v1", "routes", "Route", True, pods.Route)
LEASES = Resource("coordination.k8s.io", "v1", "leases", "Lease", True, objects.Lease)
STORAGE_CLASSES = Resource("storage.k8s.io", "v1", "storageclasses", "StorageClass", False, storage.StorageClass)
CSI_DRIVERS = Resource("storage.k8s.io", "v1", "csidrivers", "CSIDriver", False, storage.CsiDriver)
VOLUME_POPULATORS = Resource(
    "populator.storage.k8s.io", "v1beta1", "volumepopulators", "VolumePopulator", False, objects.Object
)

_SNAPSHOT_GROUP = "snapshot.storage.k8s.io"
SNAPSHOTS = Resource(_SNAPSHOT_GROUP, "v1", "volumesnapshots", "VolumeSnapshot", True, storage.VolumeSnapshot)
SNAPSHOT_CLASSES = Resource(
    _SNAPSHOT_GROUP, "v1", "volumesnapshotclasses", "VolumeSnapshotClass", False, storage.VolumeSnapshotClass
)
SNAPSHOT_CONTENTS = Resource(
    _SNAPSHOT_GROUP, "v1", "volumesnapshotcontents", "VolumeSnapshotContent", False, storage.VolumeSnapshotContent
)
CUSTOM_RESOURCES = Resource(
    "apiextensions.k8s.io",
    "v1",
    "customresourcedefinitions",
    "CustomResourceDefinition",
    False,
    objects.CustomResourceDefinition,
)
