"""Owners: what is deleted together with what."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import to_builtins

from cdi.api import cdi
from cdi.api.cdi import CDI
from cdi.api.datavolume import GROUP, ObjectMeta


class Identity(Protocol):
    """What the metadata of every object says."""

    @property
    def name(self) -> str: ...

    @property
    def uid(self) -> str: ...


def owner_reference(api_version: str, kind: str, metadata: Identity) -> dict[str, Any]:
    return {
        "apiVersion": api_version,
        "kind": kind,
        "name": metadata.name,
        "uid": metadata.uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def owned_by_system(metadata: ObjectMeta, system: CDI | None) -> dict[str, Any]:
    """What to change in the metadata of one of our cluster-wide objects, so that it is deleted with the CDI object.

    Empty when it has a controller, or there is no CDI object. It replaces the list, so it is a compare-and-swap.
    """
    if system is None or any(owner.controller for owner in metadata.owner_references):
        return {}
    owner = owner_reference(f"{GROUP}/v1beta1", cdi.KIND, system.metadata)
    owners = [*to_builtins(metadata.owner_references), owner]
    version = {"resourceVersion": metadata.resource_version} if metadata.resource_version else {}
    return {"ownerReferences": owners, **version}
