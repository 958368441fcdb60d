"""The ConfigMap ``kubevirt-storage-class-defaults`` of clusters that had no profiles: below all that is known. Pure."""

from __future__ import annotations

from collections.abc import Mapping

from storageprofiles.rendering import ClaimPropertySet

NAME = "kubevirt-storage-class-defaults"


def legacy_sets(data: Mapping[str, str], storage_class: str) -> tuple[ClaimPropertySet, ...]:
    """``accessMode`` and ``volumeMode`` for all classes, ``<class>.accessMode`` and ``<class>.volumeMode`` for one."""
    mode = data.get(f"{storage_class}.accessMode") or data.get("accessMode")
    volume = data.get(f"{storage_class}.volumeMode") or data.get("volumeMode") or "Filesystem"
    return (ClaimPropertySet((mode,), volume),) if mode else ()
