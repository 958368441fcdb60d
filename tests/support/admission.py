"""What webhooks are asked, and a cluster that knows a few objects."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Raw

from cdi.apiserver.lookup import Right
from cdi.apiserver.review import NOTHING, Answer, Request
from cdi.apiserver.review import Resource as Asked
from cdi.kube.resources import Resource
from cdi.kube.reviews import UserInfo

ALICE = UserInfo("alice", groups=["developers"])


def create(body: dict[str, Any], resource: str = "", namespace: str = "team", user: UserInfo = ALICE) -> Request:
    return _request("CREATE", resource, namespace, user, body, None)


def update(before: dict[str, Any], after: dict[str, Any], resource: str = "", namespace: str = "team") -> Request:
    return _request("UPDATE", resource, namespace, ALICE, after, before)


def delete(body: dict[str, Any]) -> Request:
    return _request("DELETE", "", "", ALICE, None, body)


def _request(
    operation: str,
    resource: str,
    namespace: str,
    user: UserInfo,
    now: dict[str, Any] | None,
    before: dict[str, Any] | None,
) -> Request:
    metadata = (now or before or {}).get("metadata", {})
    return Request(
        uid="1",
        operation=operation,
        name=metadata.get("name", ""),
        namespace=namespace,
        resource=Asked("cdi.kubevirt.io", "v1beta1", resource),
        user_info=user,
        object=NOTHING if now is None else Raw(json.dumps(now).encode()),
        old_object=NOTHING if before is None else Raw(json.dumps(before).encode()),
    )


class Known:
    """A Lookup. ``rights``: those that everybody has; ``asked``: those that were asked for."""

    def __init__(self, *rights: Right) -> None:
        self.rights = rights
        self.asked: list[Right] = []
        self._objects: dict[tuple[str, str, str], dict[str, Any]] = {}

    def add(self, resource: Resource[Any], name: str, namespace: str = "", **members: Any) -> Known:
        metadata = {"name": name, "namespace": namespace, **members.pop("metadata", {})}
        self._objects[resource.plural, namespace, name] = {"metadata": metadata, **members}
        return self

    async def find(self, resource: Resource[Any], name: str, namespace: str = "") -> Any:
        found = self._objects.get((resource.plural, namespace, name))
        return None if found is None else msgspec.convert(found, resource.type)

    async def list(self, resource: Resource[Any], namespace: str = "", labels: str = "") -> list[Any]:
        """``labels``: ``!key`` or nothing."""
        return [
            msgspec.convert(body, resource.type)
            for (plural, _, _), body in self._objects.items()
            if plural == resource.plural and not (labels and labels[1:] in body["metadata"].get("labels", {}))
        ]

    async def some(self, resource: Resource[Any], labels: str) -> list[Any]:
        return (await self.list(resource, labels=labels))[:2]

    async def may(self, user: UserInfo, right: Right) -> bool:
        self.asked.append(right)
        return right in self.rights


def texts(answer: Answer) -> list[tuple[str, str, str]]:
    """Reason, field and message of each cause."""
    return [(reason, item.field, item.message) for reason, item in answer.causes]
