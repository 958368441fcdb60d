"""What webhooks ask the cluster: few questions, asked when they come up, never from a cache that may lag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

from msgspec import Struct, field

from cdi.apiserver.review import UserInfo
from cdi.kube.client import Client
from cdi.kube.resources import Resource

T = TypeVar("T")


class _AccessStatus(Struct):
    allowed: bool = False


class _Access(Struct):
    status: _AccessStatus = field(default_factory=_AccessStatus)


_REVIEWS: Resource[_Access] = Resource(
    "authorization.k8s.io", "v1", "subjectaccessreviews", "SubjectAccessReview", False, _Access
)


@dataclass(frozen=True, slots=True)
class Right:
    """A verb on a resource of ``namespace``; ``name`` empty: on any object."""

    namespace: str
    resource: str
    group: str = ""
    name: str = ""
    subresource: str = ""
    verb: str = "create"


class Lookup:
    """Raises what ``cdi.kube.client`` raises."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def find(self, resource: Resource[T], name: str, namespace: str = "") -> T | None:
        return await self._client.find(resource, name, namespace)

    async def list(self, resource: Resource[T], namespace: str = "", labels: str = "") -> list[T]:
        return await self._client.list(resource, namespace, labels)

    async def may(self, user: UserInfo, right: Right) -> bool:
        asked: dict[str, Any] = {
            "namespace": right.namespace,
            "verb": right.verb,
            "group": right.group,
            "resource": right.resource,
            "subresource": right.subresource,
            "name": right.name,
        }
        spec = {"user": user.username, "uid": user.uid, "groups": user.groups, "extra": user.extra}
        answer = await self._client.create(_REVIEWS, {"metadata": {}, "spec": {**spec, "resourceAttributes": asked}})
        return answer.status.allowed
