"""Secrets and ConfigMaps in memory, for what keeps them through a client: days pass in a second."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import msgspec

from cdi.kube.errors import AlreadyExists, Conflict, NotFound
from cdi.kube.resources import Resource


class MemoryObjects:
    """What ``Client`` does, for one namespace: find, get, create, and a merge patch that may be a compare-and-swap."""

    def __init__(self) -> None:
        self.bodies: dict[tuple[str, str], dict[str, Any]] = {}
        self._versions = itertools.count(1)

    async def find(self, resource: Resource[Any], name: str, namespace: str = "") -> Any:
        body = self.bodies.get((resource.plural, name))
        return None if body is None else msgspec.convert(body, resource.type)

    async def get(self, resource: Resource[Any], name: str, namespace: str = "") -> Any:
        found = await self.find(resource, name, namespace)
        if found is None:
            raise NotFound(404, "NotFound", f"{resource.plural} {name} not found")
        return found

    async def create(self, resource: Resource[Any], body: Mapping[str, Any], namespace: str = "") -> Any:
        name = body["metadata"]["name"]
        if (resource.plural, name) in self.bodies:
            raise AlreadyExists(409, "AlreadyExists", f"{name} exists")
        return await self._written(resource, name, {**body})

    async def merge_patch(
        self, resource: Resource[Any], name: str, patch: Mapping[str, Any], *, namespace: str = ""
    ) -> Any:
        before = self.bodies[resource.plural, name]
        known = patch.get("metadata", {}).get("resourceVersion")
        if known not in (None, before["metadata"]["resourceVersion"]):
            raise Conflict(409, "Conflict", f"{name} has changed")
        return await self._written(resource, name, _merged(before, patch))

    async def _written(self, resource: Resource[Any], name: str, body: dict[str, Any]) -> Any:
        version = {"resourceVersion": str(next(self._versions))}
        self.bodies[resource.plural, name] = body | {"metadata": {**body["metadata"], **version}}
        return await self.get(resource, name)


def _merged(before: Any, patch: Any) -> Any:
    if not isinstance(patch, Mapping) or not isinstance(before, Mapping):
        return patch
    merged = {**before, **{key: _merged(before.get(key), value) for key, value in patch.items()}}
    return {key: value for key, value in merged.items() if value is not None}
