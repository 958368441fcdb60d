"""``cdi-controller``: all controllers in one process, of which one at a time leads.

The stores are filled before the lease is held, so that a new leader begins at once.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cdi.api.populators import CLONE_KIND
from cdi.base.verbosity import level_of, log_to_stderr
from cdi.contract import annotations as a
from cdi.controllers.cdiconfig.reconcile import Configuration
from cdi.controllers.cdiconfig.reconcile import Stores as ConfigStores
from cdi.controllers.claims.stores import Snapshots, Stores
from cdi.controllers.datasource.reconcile import DataSources
from cdi.controllers.datasource.reconcile import Stores as SourceStores
from cdi.controllers.datavolume.observe import VolumeStores
from cdi.controllers.datavolume.parting import Left
from cdi.controllers.datavolume.reconciler import DataVolumes
from cdi.controllers.finalizers.reconcile import Release
from cdi.controllers.installation.reconcile import Installations
from cdi.controllers.metrics import ControllerMetrics
from cdi.controllers.metrics import Stores as MetricStores
from cdi.controllers.population.outside import Outside
from cdi.controllers.population.reconciler import Population
from cdi.controllers.settings import Settings, read_settings
from cdi.controllers.storageprofile.reconcile import StorageProfiles
from cdi.controllers.storageprofile.reconcile import Stores as ProfileStores
from cdi.controllers.topology import has_one_node
from cdi.kube import cdi_resources as ours
from cdi.kube import config, resources
from cdi.kube.cache import Cache
from cdi.kube.client import Client
from cdi.kube.errors import ApiError, NotFound
from cdi.kube.lease import Leadership
from cdi.kube.recorder import Recorder
from cdi.serving.configured import adopt_terms, adopt_verbosity
from cdi.serving.guard import Guard
from cdi.serving.health import Health, Ports
from cdi.serving.selfsigned import self_signed
from cdi.trust import signing_key
from cdi.trust.tokens import Signer

log = logging.getLogger(__name__)

_SOURCES: tuple[resources.Resource[Any], ...] = (
    ours.VOLUME_IMPORT_SOURCES,
    ours.VOLUME_UPLOAD_SOURCES,
    ours.VOLUME_CLONE_SOURCES,
)
LEASE = "cdi-controller-leader-election-helper"
_KIND_AGAIN_S = 2.0
_BLIND_S = 60.0  # after which a process that sees no changes says that it is not ready


def main(argv: Sequence[str] | None = None) -> int:
    arguments = _arguments(argv)
    log_to_stderr(level_of(arguments.verbosity))
    try:
        access = config.load(arguments.kubeconfig)
    except config.NoAccess as refused:
        print(f"cdi-controller: {refused}", file=sys.stderr)
        return 2
    try:
        asyncio.run(_run(access, read_settings(os.environ), arguments))
    except asyncio.CancelledError:
        log.info("stopped")
    return 0


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="cdi-controller", description="Runs the controllers of the data importer.")
    parser.add_argument("--kubeconfig", help="default: the pod's service account, else KUBECONFIG")
    parser.add_argument("--health-port", type=int, default=8444, help="plain HTTP: /healthz, /readyz (0: none)")
    parser.add_argument("--metrics-port", type=int, default=8443, help="HTTPS: /metrics (0: none)")
    parser.add_argument("--address", default="", help="where both listen; default: all addresses of the pod")
    parser.add_argument("-v", dest="verbosity", type=int, default=1, help="1 is normal; from 3 on every step")
    return parser.parse_args(argv)


async def _run(access: config.Access, settings: Settings, arguments: argparse.Namespace) -> None:
    _stop_on_signals()
    ports = Ports(arguments.health_port, arguments.metrics_port, arguments.address)
    context = self_signed("cdi-controller")
    adopt_terms(context, None, None)
    async with (
        Client(access) as client,
        Client(access) as own,  # of the lease: it must wait behind nothing
        Health(ports, context, Guard(client).refusal) as health,
    ):
        await _kinds_are_served(client)
        has_routes = await _serves(client, f"{resources.ROUTES.path(settings.namespace)}?limit=1")
        single_node = await has_one_node(client)
        signer = await signing_key.signer(client, settings.namespace)
        settings = replace(settings, token_key=signer.public)
        cache, recorder = Cache(client), Recorder(client, "cdi-controller")
        system = System(client, cache, recorder, Given(settings, signer, has_routes))
        configs = cache.store(ours.CDI_CONFIGS)
        configs.subscribe(partial(adopt_terms, context))
        configs.subscribe(partial(adopt_verbosity, arguments.verbosity))
        async with asyncio.TaskGroup() as group:
            group.create_task(cache.run(), name="cache")
            group.create_task(recorder.run(), name="recorder")
            await cache.synced()
            health.hindrance = partial(_hindrance, cache)
            identity = f"{os.environ.get('POD_NAME') or os.uname().nodename}_{secrets.token_hex(8)}"
            async with Leadership(own, settings.namespace, LEASE, identity):
                log.info("successfully acquired lease %s/%s", settings.namespace, LEASE)
                health.registry.register(ControllerMetrics(system.metrics, single_node=single_node))
                await system.run()


def _hindrance(cache: Cache) -> str:
    blind = cache.blind(_BLIND_S)
    return f"for a minute these could not be watched: {', '.join(blind)}" if blind else ""


@dataclass(frozen=True)
class Given:
    """What does not change while the process runs. ``signer``: of clone tokens. ``has_routes``: whether the cluster is
    an OpenShift."""

    settings: Settings
    signer: Signer
    has_routes: bool


class System:
    """All controllers over one cache."""

    def __init__(self, client: Client, cache: Cache, recorder: Recorder, given: Given) -> None:
        settings = given.settings
        claims, volumes = cache.store(resources.CLAIMS), cache.store(resources.VOLUMES)
        classes, configs = cache.store(resources.STORAGE_CLASSES), cache.store(ours.CDI_CONFIGS)
        systems, profiles = cache.store(ours.CDIS), cache.store(ours.STORAGE_PROFILES)
        datavolumes, sources = cache.store(ours.DATA_VOLUMES), cache.store(ours.DATA_SOURCES)
        # Empty while the cluster has no such kinds, which may be installed after us.
        snapshot_classes, snapshots = cache.store(resources.SNAPSHOT_CLASSES), cache.store(resources.SNAPSHOTS)
        taken = Snapshots(snapshots, cache.store(resources.SNAPSHOT_CONTENTS), snapshot_classes)
        shared = Stores(
            claims,
            cache.store(resources.PODS),
            volumes,
            {item.kind: cache.store(item) for item in _SOURCES},
            classes,
            configs,
            systems,
            datavolumes,
            cache.store(resources.RESOURCE_QUOTAS, awaited=False),
            {resources.SERVICES: cache.store(resources.SERVICES, labels=f"{a.COMPONENT}={a.UPLOAD_SERVER}")},
            profiles,
            taken,
        )
        drivers = cache.store(resources.CSI_DRIVERS)
        here = settings.namespace
        maps, ingresses = (
            cache.store(resources.CONFIG_MAPS, namespace=here),
            cache.store(resources.INGRESSES, namespace=here),
        )
        own = VolumeStores(datavolumes, profiles, drivers, sources, taken, given.signer)
        routes = cache.store(resources.ROUTES, namespace=here) if given.has_routes else None
        self.metrics = MetricStores(profiles, classes, drivers, snapshot_classes, datavolumes, systems)
        self._installations = Installations(client, systems, settings.pull_policy)
        self._configuration = Configuration(client, ConfigStores(configs, systems, classes, ingresses, routes))
        population = Population(Outside(client, given.signer.verified), shared, recorder, settings)
        volumes_ = DataVolumes(client, (shared, own), recorder, settings, population)
        profiles_ = StorageProfiles(
            client, ProfileStores(profiles, classes, volumes, maps, systems, snapshot_classes), here
        )
        sources_ = DataSources(client, SourceStores(sources, datavolumes, claims, snapshots))
        left = Left(client, shared.sources[CLONE_KIND], shared.pods)
        self._first = (
            self._installations,
            self._configuration,
            profiles_,
            sources_,
            Release(client, ours.CDIS, systems),
            Release(client, ours.DATA_VOLUMES, datavolumes, left.part),
            Release(client, resources.CLAIMS, claims),
            Release(client, ours.OBJECT_TRANSFERS, cache.store(ours.OBJECT_TRANSFERS)),
        )
        self._then = (population, volumes_)

    async def run(self) -> None:
        """Ends by cancellation only. Volumes wait for the configuration: without it they would be made by rules that
        nobody set, such as workers that do not wait for a first consumer."""
        self._installations.make_standard()
        async with asyncio.TaskGroup() as group:
            for part in self._first:
                group.create_task(part.controller.run(), name=part.controller.name)
            await self._configuration.settled.wait()
            for worker in self._then:
                group.create_task(worker.controller.run(), name=worker.controller.name)


async def _kinds_are_served(client: Client) -> None:
    """Waits for the CRDs: at an installation they come in the same moment as we do."""
    path = f"/apis/{ours.DATA_VOLUMES.api_version}/{ours.DATA_VOLUMES.plural}?limit=1"
    while not await _serves(client, path):
        log.info("the API server does not serve %s yet", ours.DATA_VOLUMES.api_version)
        await asyncio.sleep(_KIND_AGAIN_S)


async def _serves(client: Client, path: str) -> bool:
    while True:
        try:
            await client.get_raw(path)
        except NotFound:
            return False
        except ApiError as error:
            log.warning("%s: %s", path, error)
            await asyncio.sleep(_KIND_AGAIN_S)
        else:
            return True


def _stop_on_signals() -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)


if __name__ == "__main__":
    sys.exit(main())
