"""Keeps the one CDIConfig right, and the CDI object its authority."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

from msgspec import to_builtins

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import NAME, CDIConfig
from cdi.contract import annotations as a
from cdi.contract.ownership import owned_by_system
from cdi.contract.systems import active_of
from cdi.controllers.cdiconfig.decide import AUTHORITY, Observed, spec_of, status_of
from cdi.controllers.changes import difference
from cdi.kube.cdi_resources import CDI_CONFIGS, CDIS
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.pods import Ingress, Route
from cdi.kube.storage import StorageClass
from cdi.kube.store import Key, Store

_KEY = Key("", NAME)


@dataclass(frozen=True)
class Stores:
    """``routes`` is None where the cluster does not know that kind."""

    configs: Store[CDIConfig]
    systems: Store[CDI]
    classes: Store[StorageClass]
    ingresses: Store[Ingress]
    routes: Store[Route] | None


class Configuration:
    def __init__(self, client: Client, stores: Stores) -> None:
        self._client = client
        self._stores = stores
        self.settled = asyncio.Event()  # the stores show what the CDI object says
        self.controller = Controller("cdiconfig", self._reconcile)
        self.controller.watches(stores.configs, lambda _: [_KEY])
        self.controller.watches(stores.systems, lambda _: [_KEY])
        self.controller.watches(stores.classes, lambda _: [_KEY])
        self.controller.watches(stores.ingresses, lambda _: [_KEY])
        if stores.routes is not None:
            self.controller.watches(stores.routes, lambda _: [_KEY])

    async def _reconcile(self, key: Key) -> float | None:
        stores = self._stores
        system = active_of(stores.systems.all())
        config = stores.configs.get(key.name)
        if config is None:
            labels = a.APP | {a.COMPONENT: ""}
            await self._client.create(CDI_CONFIGS, {"metadata": {"name": NAME, "labels": labels}, "spec": {}})
            return None
        if system is not None and AUTHORITY not in system.metadata.annotations:
            await self._make_authority(system, config)
            return None
        classes = tuple(item.metadata.name for item in stores.classes.all())
        routes = tuple(stores.routes.all()) if stores.routes is not None else ()
        seen = Observed(config, system, classes, tuple(stores.ingresses.all()), routes)
        changes = {
            "metadata": owned_by_system(config.metadata, system),
            "spec": difference(to_builtins(config.spec), to_builtins(spec_of(seen))),
            "status": difference(to_builtins(config.status), to_builtins(status_of(seen))),
        }
        changes = {part: change for part, change in changes.items() if change}
        if changes:
            await self._client.merge_patch(CDI_CONFIGS, NAME, changes)
        elif system is not None:
            self.settled.set()
        return None

    async def _make_authority(self, system: CDI, config: CDIConfig) -> None:
        """Once: what was configured before the CDI object counted is taken over by it."""
        patch: dict[str, object] = {"metadata": {"annotations": {AUTHORITY: ""}}}
        if system.spec.config is None:
            patch["spec"] = {"config": to_builtins(config.spec)}
        await self._client.merge_patch(CDIS, system.metadata.name, patch)
