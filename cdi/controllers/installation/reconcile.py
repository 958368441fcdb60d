"""The status of CDI objects, and what goes with them; and the standard one, where nobody has made any."""

from __future__ import annotations

import logging

from msgspec import to_builtins

from cdi import __version__
from cdi.api.cdi import CDI, standard
from cdi.contract.systems import active_of
from cdi.controllers.changes import difference
from cdi.controllers.clock import now
from cdi.controllers.installation.decide import status_of
from cdi.controllers.installation.populators import volume_populators
from cdi.kube.cdi_resources import CDIS
from cdi.kube.client import Client
from cdi.kube.controller import Controller
from cdi.kube.errors import AlreadyExists, NotFound
from cdi.kube.resources import VOLUME_POPULATORS
from cdi.kube.store import Key, Store

log = logging.getLogger(__name__)

_NONE = Key("", "")  # stands for the object that nobody made


class Installations:
    def __init__(self, client: Client, systems: Store[CDI], pull_policy: str) -> None:
        self._client = client
        self._systems = systems
        self._pull_policy = pull_policy
        self._registered = False
        self.controller = Controller("cdi", self._reconcile)
        self.controller.watches(systems, lambda _: [Key("", item.metadata.name) for item in systems.all()] or [_NONE])

    def make_standard(self) -> None:
        """At the start: a single ``kubectl apply`` cannot make an object of a kind that it has just brought. When it is
        deleted it comes back: without one there are no rules to work by."""
        self.controller.enqueue(_NONE)

    async def _reconcile(self, key: Key) -> float | None:
        if key == _NONE:
            await self._create_standard()
            return None
        system = self._systems.get(key.name)
        if system is None:
            return None
        active = active_of(self._systems.all())
        status = status_of(system, active, __version__, now())
        changes = difference(to_builtins(system.status), to_builtins(status))
        if changes:
            await self._client.merge_patch(CDIS, key.name, {"status": changes})
        if system is active and not self._registered:
            await self._register(system)
        return None

    async def _register(self, system: CDI) -> None:
        """Once in the life of a process."""
        for body in volume_populators(system):
            try:
                await self._client.create(VOLUME_POPULATORS, body)
            except AlreadyExists:
                log.debug("VolumePopulator %s is there already", body["metadata"]["name"])
            except NotFound:
                log.info("the cluster knows no VolumePopulators: none are made")
                break
        self._registered = True

    async def _create_standard(self) -> None:
        if self._systems.all():
            return
        body = to_builtins(standard(self._pull_policy))
        try:
            await self._client.create(CDIS, {"metadata": {"name": body["metadata"]["name"]}, "spec": body["spec"]})
        except AlreadyExists:
            log.debug("there is a CDI object by now")
