"""The stores of a process: one per kind and selection, each kept up to date by a reflector."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from cdi.kube.client import Client, Selection
from cdi.kube.reflector import Reflector
from cdi.kube.resources import Resource
from cdi.kube.store import Store

T = TypeVar("T")


@dataclass(frozen=True)
class _Mirror:
    store: Store[Any]
    reflector: Reflector[Any]
    awaited: bool


class Cache:
    """Ask for all stores, then ``run`` it, then wait until it is ``synced``."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._mirrors: dict[tuple[Resource[Any], Selection], _Mirror] = {}
        self._running = False

    def store(
        self, resource: Resource[T], *, namespace: str = "", labels: str = "", name: str = "", awaited: bool = True
    ) -> Store[T]:
        """The same store for the same selection. Never of secrets: they are read when they are needed.

        ``name``: of the only object, for roles that grant no other one.
        ``awaited``: nothing can be decided before it was complete; else it is a comfort, which a role may not grant.
        """
        selection = Selection(namespace, labels, f"metadata.name={name}" if name else "")
        mirror = self._mirrors.get((resource, selection))
        if mirror is None:
            if self._running:
                raise RuntimeError(f"the store of {resource.plural} must be made before the cache runs")
            made = Store[T]()
            mirror = _Mirror(made, Reflector(self._client, resource, selection, made), awaited)
            self._mirrors[resource, selection] = mirror
        return cast(Store[T], mirror.store)

    async def run(self) -> None:
        """Ends by cancellation only."""
        self._running = True
        async with asyncio.TaskGroup() as group:
            for resource, selection in self._mirrors:
                reflector = self._mirrors[resource, selection].reflector
                group.create_task(reflector.run(), name=f"watch-{resource.plural}")

    @property
    def is_synced(self) -> bool:
        """For readiness: whether all stores were complete once."""
        return all(mirror.reflector.synced.is_set() for mirror in self._mirrors.values() if mirror.awaited)

    def blind(self, longer_than_s: float) -> list[str]:
        """Kinds that could not be watched for so long, while what their stores hold grows old."""
        mirrors = self._mirrors.items()
        return sorted({resource.plural for (resource, _), mirror in mirrors if _is_blind(mirror, longer_than_s)})

    async def synced(self) -> None:
        """Returns when all stores were complete once. Has no deadline: an API server may be down for a day."""
        for mirror in [mirror for mirror in self._mirrors.values() if mirror.awaited]:
            await mirror.reflector.synced.wait()


def _is_blind(mirror: _Mirror, longer_than_s: float) -> bool:
    return mirror.awaited and mirror.reflector.blind_s > longer_than_s
