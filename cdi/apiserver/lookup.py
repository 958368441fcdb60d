"""What webhooks ask the cluster: few questions, asked when they come up, never from a cache that may lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from cdi.kube.client import Client
from cdi.kube.resources import Resource
from cdi.kube.reviews import UserInfo, is_allowed

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource of ``namespace``; ``name`` empty: on any object."""

    namespace: str
    resource: str
    group: str = ""
    name: str = ""
    subresource: str = ""
    verb: str = "create"
    version: str = ""


class Lookup:
    """Raises what ``cdi.kube.client`` raises."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(self, resource: Resource[T], name: str, namespace: str = "") -> T | None:
        return await self._client.find(resource, name, namespace)

    async def some(self, resource: Resource[T], labels: str) -> list[T]:
        """Two at most, of all namespaces."""
        return await self._client.some(resource, 2, labels)

    async def list(self, resource: Resource[T], namespace: str = "", labels: str = "") -> list[T]:
        return await self._client.list(resource, namespace, labels)

    async def may(self, user: UserInfo, right: Right) -> bool:
        asked: dict[str, Any] = {
            "namespace": right.namespace,
            "verb": right.verb,
            "group": right.group,
            "version": right.version,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
        }
        return await is_allowed(self._client, user, {"resourceAttributes": asked})
