"""Manifests as a person writes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from support.kinds import Object

V1BETA1, V1ALPHA1 = "cdi.kubevirt.io/v1beta1", "cdi.kubevirt.io/v1alpha1"
IMMEDIATE = {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}


def http(url: str, **more: Any) -> Object:
    return {"http": {"url": url, **more}}


def datavolume(
    name: str,
    source: Mapping[str, Any],
    *,
    annotations: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
    version: str = V1BETA1,
    **spec: Any,
) -> Object:
    """``spec``: members besides the source, such as ``storage=storage("1Gi")`` or ``pvc=claim("1Gi")``."""
    metadata = {"name": name, "annotations": dict(annotations or {}), "labels": dict(labels or {})}
    return {"apiVersion": version, "kind": "DataVolume", "metadata": metadata, "spec": {"source": source, **spec}}


def storage(size: str, class_name: str | None = None, **more: Any) -> Object:
    """``spec.storage``: what is left out comes from the StorageProfile."""
    named = {"storageClassName": class_name} if class_name else {}
    return {"resources": {"requests": {"storage": size}}, **named, **more}


def claim(size: str, class_name: str | None = None, mode: str = "ReadWriteOnce", **more: Any) -> Object:
    """``spec.pvc``: taken as it is."""
    return {"accessModes": [mode], **storage(size, class_name, **more)}


def storage_class(name: str, provisioner: str, **more: Any) -> Object:
    kind = {"apiVersion": "storage.k8s.io/v1", "kind": "StorageClass", "metadata": {"name": name}}
    return {**kind, "provisioner": provisioner, **more}


def secret(name: str, **data: str) -> Object:
    return {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data}


def config_map(name: str, data: Mapping[str, str]) -> Object:
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}
