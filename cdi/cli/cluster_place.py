"""The volumes of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Coroutine, Iterator, Mapping
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cdi.api import cdiconfig
from cdi.api.datavolume import DataVolume
from cdi.base.faults import Fault
from cdi.base.nearest import hint
from cdi.cli.class_row import ClassRow
from cdi.cli.cluster_classes import rows
from cdi.cli.names import Name
from cdi.cli.story import Claim, Occurrence, Story, Worker
from cdi.cli.view import View
from cdi.controllers import annotations as a
from cdi.controllers.cluster import cluster_of
from cdi.kube import config, errors
from cdi.kube.cdi_resources import CDI_CONFIGS, DATA_VOLUMES, STORAGE_PROFILES
from cdi.kube.client import Client, LogOptions, Selection, WatchFrom
from cdi.kube.decoding import read
from cdi.kube.objects import Event
from cdi.kube.pods import Pod
from cdi.kube.resources import CLAIMS, EVENTS, PODS, STORAGE_CLASSES, Resource
from cdi.kube.storage import PersistentVolumeClaim

T = TypeVar("T")

_CONTINUES = "It goes on by itself when the cause is gone; the source may be corrected in place (kubectl edit)."
_ALL: Resource[msgspec.Raw] = Resource(
    DATA_VOLUMES.group, DATA_VOLUMES.version, DATA_VOLUMES.plural, DATA_VOLUMES.kind, True, msgspec.Raw
)
_LOG_LINES = 10


@contextlib.contextmanager
def connected(kubeconfig: str | None, context: str | None, namespace: str | None) -> Iterator[ClusterPlace]:
    """Raises Fault ClusterNotNamed where no kubeconfig can be used, and the cluster's own faults."""
    try:
        access = config.load(kubeconfig, context)
    except config.NoAccess as refused:
        here = " (there is ./cdi-data here)" if Path("cdi-data").is_dir() else ""
        raise Fault("ClusterNotNamed", cause=refused, here=here) from refused
    with asyncio.Runner() as runner:
        client = Client(access)
        runner.run(client.__aenter__())
        try:
            yield ClusterPlace(runner, client, namespace or access.namespace)
        finally:
            runner.run(client.__aexit__(None, None, None))


class ClusterPlace:
    goes_on = "the import goes on in the cluster"

    def __init__(self, runner: asyncio.Runner, client: Client, namespace: str) -> None:
        self._runner = runner
        self._client = client
        self.namespace = namespace

    def where(self, *, everywhere: bool = False) -> str:
        scope = "all namespaces" if everywhere else f"namespace {self.namespace}"
        return f"cluster: {self._client.access.server}, {scope}"

    def volumes(self, namespace: str | None) -> list[View]:
        found: list[msgspec.Raw] = self._call(self._client.list(_ALL, namespace or ""), "DataVolumes")
        return [_view(raw) for raw in found]

    def volume(self, name: Name) -> View:
        try:
            return _view(self._call(self._client.get(_ALL, name.name, name.namespace), str(name)))
        except Fault as fault:
            if fault.code != "ObjectNotFound":
                raise
        known = [view.name.name for view in self.volumes(name.namespace)]
        raise Fault("ObjectNotFound", name=name, hint=hint(name.name, known))

    def story(self, view: View) -> Story:
        return self._call(self._story(view), str(view.name))

    def follow(self, name: Name) -> Iterator[View]:
        yield self.volume(name)
        changes = self._changes(name)
        try:
            while True:
                view: View | None = self._call(anext(changes), str(name))
                if view is None:
                    raise Fault("ObjectDeleted", name=name)
                yield view
        finally:
            self._runner.run(changes.aclose())

    def delete(self, name: Name) -> None:
        self.volume(name)
        self._call(self._client.delete(DATA_VOLUMES, name.name, name.namespace), str(name))

    def create(self, body: Mapping[str, Any]) -> View:
        """A DataVolume. Raises Fault ObjectExists, QuotaExceeded, ClusterRejected among others."""
        metadata = body["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        return _view(self._call(self._client.create(_ALL, body), name))

    def classes(self) -> list[ClassRow]:
        async def all_three() -> list[ClassRow]:
            classes = await self._client.list(STORAGE_CLASSES)
            profiles = await self._client.list(STORAGE_PROFILES)
            config = await self._client.find(CDI_CONFIGS, cdiconfig.NAME)
            return rows(classes, profiles, cluster_of(config, None))

        return self._call(all_three(), "storage classes")

    async def _changes(self, name: Name) -> AsyncGenerator[View | None, None]:
        """None: it is gone. A watch that ends begins again with what there is."""
        selection = Selection(name.namespace, fields=f"metadata.name={name.name}")
        while True:
            page = await anext(self._client.pages(_ALL, selection))
            if not page.items:
                yield None
                return
            yield _view(page.items[0])
            start = WatchFrom(page.metadata.resource_version)
            with contextlib.suppress(errors.Unreachable, errors.Gone):
                async with aclosing(self._client.watch(_ALL, selection, start)) as events:
                    async for event in events:
                        if event.type in ("ADDED", "MODIFIED"):
                            yield _view(event.object)
                        elif event.type == "DELETED":
                            yield None

    async def _story(self, view: View) -> Story:
        namespace, name = view.name.namespace, view.name.name
        unreadable: list[str] = []
        claim = await self._seen(CLAIMS, name, namespace, unreadable)
        prime_name = claim.metadata.annotations.get(a.PRIME, "") if claim else ""
        prime: PersistentVolumeClaim | None = None
        if prime_name:
            prime = await self._seen(CLAIMS, prime_name, namespace, unreadable)
        worker = f"importer-{prime_name or name}"
        pod = await self._seen(PODS, worker, namespace, unreadable)
        log = await self._log(namespace, pod, unreadable) if pod is not None and view.trouble else ()
        about = {name, prime_name, worker} - {""}
        events = await self._events(namespace, unreadable)
        volume = claim.spec.volume_name if claim else ""
        claims = [_claim(role, item) for role, item in (("claim", claim), ("PVC'", prime)) if item is not None]
        return Story(
            disk=f"claim {namespace}/{name}" + (f", volume {volume}" if volume else ""),
            continues=_CONTINUES,
            origin=_origin(view.volume),
            is_being_deleted=bool(view.volume.metadata.deletion_timestamp),
            claims=tuple(claims),
            worker=_worker(pod) if pod is not None else None,
            log=log,
            events=tuple(_occurrence(event) for event in _sorted(events) if event.involved_object.name in about),
            unreadable=tuple(unreadable),
        )

    async def _seen(self, resource: Resource[T], name: str, namespace: str, unreadable: list[str]) -> T | None:
        """None for what is not there, and for what this user may not see, which is noted."""
        try:
            return await self._client.find(resource, name, namespace)
        except errors.Forbidden:
            unreadable.append(f"{resource.kind} {name} (no right to read it)")
            return None

    async def _events(self, namespace: str, unreadable: list[str]) -> list[Event]:
        try:
            return await self._client.list(EVENTS, namespace)
        except errors.Forbidden:
            unreadable.append("events (no right to read them)")
            return []

    async def _log(self, namespace: str, pod: Pod, unreadable: list[str]) -> tuple[str, ...]:
        options = LogOptions(container="importer", follow=False, tail_lines=_LOG_LINES)
        try:
            async with aclosing(self._client.log_lines(namespace, pod.metadata.name, options)) as lines:
                return tuple([line.decode(errors="replace") async for line in lines])
        except errors.Forbidden:
            unreadable.append("the worker's log (no right to read it)")
        except errors.ApiError:
            return ()  # it has not started, or is gone by now
        return ()

    def _call(self, question: Coroutine[Any, Any, T] | Any, target: str) -> T:  # noqa: ANN401 - anext() gives no coroutine
        async def asked() -> T:
            result: T = await question
            return result

        try:
            return self._runner.run(asked())
        except errors.ApiError as error:
            raise _fault(error, self._client.access.server, target) from error


def _fault(error: errors.ApiError, server: str, target: str) -> Fault:
    return Fault(
        _code(error),
        server=server,
        target=target,
        name=target,
        cause=error,
        status=error.status,
        kind="DataVolume",
        hint="",
    )


def _code(error: errors.ApiError) -> str:
    """The fault that an answer of the API server means for a person at a terminal."""
    if isinstance(error, errors.NotFound):
        return "ClusterLacksCdi" if "could not find the requested resource" in error.message else "ObjectNotFound"
    if isinstance(error, errors.Forbidden) and "exceeded quota" in error.message:
        return "QuotaExceeded"
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), "ClusterFailed")


_CODES: dict[type[errors.ApiError], str] = {
    errors.Unreachable: "ClusterUnreachable",
    errors.AlreadyExists: "ObjectExists",
    errors.Unauthorized: "ClusterRefused",
    errors.Forbidden: "ClusterRefused",
    errors.Invalid: "ClusterRejected",
    errors.BadRequest: "ClusterRejected",
    errors.Conflict: "ClusterRejected",
}


def _origin(volume: DataVolume) -> str:
    known = msgspec.to_builtins(volume.status.provenance) if volume.status.provenance else {}
    return ", ".join(f"{name} {value}" for name, value in known.items())


def _view(raw: msgspec.Raw | bytes) -> View:
    document = msgspec.json.decode(raw)
    transfer = document.get("status", {}).get("transfer", {})
    return View(read(DataVolume, raw, "DataVolume"), document, transfer)


def _claim(role: str, item: PersistentVolumeClaim) -> Claim:
    return Claim(
        role=role,
        name=item.metadata.name,
        phase=item.status.phase,
        storage_class=item.spec.storage_class_name or "",
        size=item.spec.resources.requests.get("storage", ""),
        volume=item.spec.volume_name,
        is_being_deleted=bool(item.metadata.deletion_timestamp),
    )


def _worker(pod: Pod) -> Worker:
    status = pod.status.container_statuses[0] if pod.status.container_statuses else None
    waiting = status.state.waiting if status else None
    ended = (status.state.terminated or status.last_state.terminated) if status else None
    refused = next((c.message for c in pod.status.conditions if c.type == "PodScheduled" and c.status == "False"), "")
    return Worker(
        name=pod.metadata.name,
        phase=pod.status.phase,
        node=pod.spec.node_name,
        restarts=status.restart_count if status else 0,
        waiting=waiting.reason if waiting else "",
        waiting_message=waiting.message if waiting else "",
        unschedulable=refused,
        ended=f"end at {ended.finished_at}: exit code {ended.exit_code}, {ended.reason}" if ended else "",
        message=ended.message if ended else "",
    )


def _sorted(events: list[Event]) -> list[Event]:
    return sorted(events, key=lambda event: event.last_timestamp or "")


def _occurrence(event: Event) -> Occurrence:
    about = f"{event.involved_object.kind} {event.involved_object.name}"
    return Occurrence(event.last_timestamp or "", event.type, event.reason, about, event.message, event.count or 1)
