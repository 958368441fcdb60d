"""Takes CDI's finalizers off objects in deletion: without that they, and their namespaces, would stay for ever.

What nobody here can prove to be ours, work in flight of a version that is not here any more, is not cleaned up after:
temporary objects in other namespaces have guessable names, and may be somebody's own.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable
from typing import Generic, Protocol, TypeVar

from cdi.controllers.finalizers import decide
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.errors import NotFound
from cdi.kube.resources import Resource
from cdi.kube.store import Key, Store

log = logging.getLogger(__name__)


class Metadata(decide.Metadata, Protocol):
    @property
    def name(self) -> str: ...

    @property
    def namespace(self) -> str: ...

    @property
    def uid(self) -> str: ...

    @property
    def resource_version(self) -> str: ...


class Deletable(Protocol):
    @property
    def metadata(self) -> Metadata: ...


T = TypeVar("T", bound=Deletable)


async def _nothing(_: object) -> None:
    """Where there is nothing to clean up."""


class Release(Generic[T]):
    """Of one kind. ``part`` cleans up after an object before it goes; what it raises is tried again."""

    def __init__(
        self,
        client: Client,
        resource: Resource[T],
        store: Store[T],
        part: Callable[[T], Awaitable[None]] = _nothing,
    ) -> None:
        self._client = client
        self._resource = resource
        self._store = store
        self._part = part
        self.controller = Controller(f"release-{resource.plural}", self._reconcile)
        self.controller.watches(store, _keys)

    async def _reconcile(self, key: Key) -> float | None:
        found = self._store.get(key.name, key.namespace)
        kept = decide.left_over(found.metadata) if found is not None else None
        if found is None or kept is None:
            return None
        await self._part(found)
        metadata = found.metadata
        version = {"uid": metadata.uid, "resourceVersion": metadata.resource_version}
        patch = {"metadata": {**version, "finalizers": kept}}
        try:
            await self._client.merge_patch(self._resource, key.name, patch, namespace=key.namespace)
        except NotFound:
            return None
        log.info("%s %s: finalizers of another version are taken off", self._resource.kind, key)
        return None


def _keys(item: Deletable) -> Iterable[Key]:
    metadata = item.metadata
    return [Key(metadata.namespace, metadata.name)] if decide.left_over(metadata) is not None else []
