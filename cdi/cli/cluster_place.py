"""The volumes of a cluster."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from contextlib import aclosing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cdi.api import cdiconfig, datavolume
from cdi.api.datavolume import DataVolume
from cdi.api.phase import Phase
from cdi.base.faults import Fault
from cdi.base.nearest import hint
from cdi.cli.class_row import ClassRow
from cdi.cli.cluster_classes import rows
from cdi.cli.cluster_clone import Outlook, outlook
from cdi.cli.interruptible import Runner
from cdi.cli.names import Name
from cdi.cli.story import Attempt, Claim, Occurrence, Story, Worker
from cdi.cli.view import View
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.names import WORKER_CONTAINERS
from cdi.controllers.cluster import cluster_of
from cdi.kube import config, errors
from cdi.kube.backoff import Backoff
from cdi.kube.cdi_resources import CDI_CONFIGS, DATA_VOLUMES, STORAGE_PROFILES
from cdi.kube.client import Client, LogOptions, Selection, WatchFrom
from cdi.kube.decoding import read
from cdi.kube.objects import Event
from cdi.kube.pods import Pod
from cdi.kube.resources import CLAIMS, EVENTS, PODS, STORAGE_CLASSES, Resource
from cdi.kube.storage import PersistentVolumeClaim, StorageClass
from importer.sources.proxy import named_proxy
from importer.sources.url import parse_http_url

T = TypeVar("T")

_CONTINUES = "It goes on by itself when the cause is gone; the source may be corrected in place (kubectl edit)."
_ALL: Resource[msgspec.Raw] = Resource(
    DATA_VOLUMES.group, DATA_VOLUMES.version, DATA_VOLUMES.plural, DATA_VOLUMES.kind, True, msgspec.Raw
)
_ENDED = "Nothing works on it any more: a source that is corrected in place (kubectl edit) starts it anew."
_LOG_LINES, _LOG_READ = 10, 60  # shown, and read for them: progress, which is not for people, is between
_HEARTBEAT_S = 5.0
_PATIENCE_S = 60.0  # with an API server that was there when a volume was begun to be followed
_HANDED_OVER = "ClaimMisbound"  # of a PVC' whose volume has become the claim's, as it has to
_MISSING_NAMESPACE = re.compile(r'namespaces "([^"]+)" not found')


@contextlib.contextmanager
def connected(kubeconfig: str | None, context: str | None, namespace: str | None) -> Iterator[ClusterPlace]:
    """Raises Fault ClusterNotNamed where no kubeconfig can be used, and the cluster's own faults."""
    try:
        access = config.load(kubeconfig, context)
    except config.NoAccess as refused:
        here = " (there is ./cdi-data here)" if Path("cdi-data").is_dir() else ""
        raise Fault("ClusterNotNamed", cause=refused, here=here) from refused
    with Runner() as runner:
        client = Client(_through_proxy(access))
        runner.run(client.__aenter__())
        try:
            yield ClusterPlace(runner, client, namespace or access.namespace)
        finally:
            runner.run(client.__aexit__(None, None, None))


def _through_proxy(access: config.Access) -> config.Access:
    """As kubectl does it: the kubeconfig's proxy, else that of the environment, which is never one to this machine."""
    url, _ = parse_http_url(access.server)
    if access.proxy or url.host == "localhost" or url.host.startswith("127.") or url.host == "::1":
        return access
    return replace(access, proxy=named_proxy(url, os.environ) or None)


class ClusterPlace:
    goes_on = "the import goes on in the cluster"

    def __init__(self, runner: Runner, client: Client, namespace: str) -> None:
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
        view = self.volume(name)
        yield view
        changes = _Steps(self._changes(name))
        try:
            while True:
                found = self._call(changes.next(_HEARTBEAT_S), str(name))
                if found is None:
                    raise Fault("ObjectDeleted", name=name)
                view = view if isinstance(found, _Quiet) else found
                yield view
        finally:
            self._runner.run(changes.close())

    def delete(self, name: Name) -> None:
        self.volume(name)
        self._call(self._client.delete(DATA_VOLUMES, name.name, name.namespace), str(name))

    def create(self, body: Mapping[str, Any]) -> View:
        """A DataVolume. Raises Fault ObjectExists, QuotaExceeded, ClusterRejected among others."""
        metadata = body["metadata"]
        name = f"{metadata['namespace']}/{metadata['name']}"
        return _view(self._call(self._client.create(_ALL, body), name))

    def annotate(self, name: Name, pairs: Mapping[str, str]) -> None:
        patch = {"metadata": {"annotations": dict(pairs)}}
        self._call(self._client.merge_patch(_ALL, name.name, patch, namespace=name.namespace), str(name))

    def referred(self, resource: Resource[T], name: str, namespace: str) -> T:
        """A Secret or ConfigMap that a source names. Raises Fault ReferredMissing among others."""
        question = self._client.find(resource, name, namespace)
        found = self._call(question, f"{resource.kind} {name}")
        if found is None:
            raise Fault("ReferredMissing", kind=resource.kind, name=name, namespace=namespace)
        return found

    def classes(self) -> list[ClassRow]:
        async def all_three() -> list[ClassRow]:
            classes: list[StorageClass] | None = None  # a user of one namespace may not read them
            with contextlib.suppress(errors.Forbidden):
                classes = await self._client.list(STORAGE_CLASSES)
            profiles = await self._client.list(STORAGE_PROFILES)
            config = await self._client.find(CDI_CONFIGS, cdiconfig.NAME)
            return rows(classes, profiles, cluster_of(config, None))

        return self._call(all_three(), "storage classes")

    def outlook(self, volume: DataVolume) -> Outlook:
        """How a DataVolume that is not made yet would be cloned."""
        return self._call(outlook(self._client, volume), f"{volume.metadata.namespace}/{volume.metadata.name}")

    @property
    def access(self) -> config.Access:
        return self._client.access

    def asked(self, question: Callable[[Client], Awaitable[T]], target: str) -> T:
        """The answer to any question. ``target``: what it is about, for messages. Raises Fault."""
        return self._call(question(self._client), target)

    async def _changes(self, name: Name) -> AsyncGenerator[View | None, None]:
        """None: it is gone. A watch that ends begins again with what there is, and an API server that does not answer
        for a moment is waited for: it may be restarting, and the import goes on meanwhile."""
        backoff, heard = Backoff(0.5, 8), time.monotonic()
        while True:
            asked_s = 0.0
            try:
                async with aclosing(self._watched(name)) as views:
                    async for view in views:
                        backoff.reset()
                        heard = time.monotonic()
                        yield view
                        if view is None:
                            return
            except errors.ApiError as error:
                if not (error.transient or isinstance(error, errors.Gone)) or time.monotonic() - heard > _PATIENCE_S:
                    raise
                asked_s = error.retry_after_s
            await asyncio.sleep(max(asked_s, backoff.next_s()))

    async def _watched(self, name: Name) -> AsyncGenerator[View | None, None]:
        """What there is, then each change until the watch ends."""
        selection = Selection(name.namespace, fields=f"metadata.name={name.name}")
        page = await anext(self._client.pages(_ALL, selection))
        yield _view(page.items[0]) if page.items else None
        start = WatchFrom(page.metadata.resource_version)
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
        is_upload = view.volume.spec.source is not None and view.volume.spec.source.upload is not None
        worker = (names.upload if is_upload else names.importer)(prime_name or name)
        pod = await self._seen(PODS, worker, namespace, unreadable)
        log = await self._log(namespace, pod, unreadable) if pod is not None and view.trouble else ()
        about = {name, prime_name, worker} - {""}
        events = await self._events(namespace, unreadable)
        volume = claim.spec.volume_name if claim else ""
        known = (("claim", claim), ("PVC'", prime if view.phase != Phase.SUCCEEDED else None))
        claims = [_claim(role, item) for role, item in known if item is not None]
        return Story(
            disk=f"claim {namespace}/{name}" + (f", volume {volume}" if volume else ""),
            continues=_ENDED if view.phase == Phase.FAILED else _CONTINUES,
            origin=_origin(view.volume),
            is_being_deleted=bool(view.volume.metadata.deletion_timestamp),
            claims=tuple(claims),
            worker=_worker(pod) if pod is not None else None,
            log=log,
            events=tuple(
                _occurrence(event)
                for event in _sorted(events)
                if event.involved_object.name in about and event.reason != _HANDED_OVER
            ),
            attempts=tuple(_attempt(past) for past in view.volume.status.history) or None,
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
        container = next((item.name for item in pod.spec.containers if item.name in WORKER_CONTAINERS), "")
        options = LogOptions(container=container, follow=False, tail_lines=_LOG_READ)
        try:
            async with aclosing(self._client.log_lines(namespace, pod.metadata.name, options)) as lines:
                read = [line.decode(errors="replace") async for line in lines if not line.startswith(b"{")]
                return tuple(read[-_LOG_LINES:])
        except errors.Forbidden:
            unreadable.append("the worker's log (no right to read it)")
        except errors.ApiError:
            return ()  # it has not started, or is gone by now
        return ()

    def _call(self, question: Awaitable[T], target: str) -> T:
        try:
            return self._runner.run(question)
        except errors.ApiError as error:
            raise _fault(error, self._client.access.server, target) from error


class _Quiet:
    """Nothing has changed."""


class _Steps:
    """A generator, of which each step may be waited for again."""

    def __init__(self, views: AsyncGenerator[View | None, None]) -> None:
        self._views = views
        self._step: asyncio.Task[View | None] | None = None

    async def next(self, patience_s: float) -> View | _Quiet | None:
        if self._step is None:
            self._step = asyncio.create_task(self._one())
        done, _ = await asyncio.wait({self._step}, timeout=patience_s)
        if not done:
            return _Quiet()
        step, self._step = self._step, None
        return step.result()

    async def _one(self) -> View | None:
        return await anext(self._views)

    async def close(self) -> None:
        if self._step is not None:
            self._step.cancel()
            await asyncio.wait({self._step})
        await self._views.aclose()


def _fault(error: errors.ApiError, server: str, target: str) -> Fault:
    if namespace := _MISSING_NAMESPACE.match(error.message):
        return Fault("NamespaceUnknown", server=server, name=namespace[1])
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
        # Of a kind that it does not know an API server says "404 page not found", later ones the longer sentence.
        lacks = not error.reason or "could not find the requested resource" in error.message
        return "ClusterLacksCdi" if lacks else "ObjectNotFound"
    if isinstance(error, errors.Forbidden) and "exceeded quota" in error.message:
        return "QuotaExceeded"
    return next((code for kind, code in _CODES.items() if isinstance(error, kind)), "ClusterFailed")


_CODES: dict[type[errors.ApiError], str] = {
    errors.Untrusted: "ClusterUntrusted",
    errors.Unreachable: "ClusterUnreachable",
    errors.AlreadyExists: "ObjectExists",
    errors.Unauthorized: "ClusterUnauthorized",
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


def _attempt(past: datavolume.Attempt) -> Attempt:
    return Attempt(past.start, past.end, past.outcome, past.bytes_done, past.node)


def _worker(pod: Pod) -> Worker:
    status = next((item for item in pod.status.container_statuses if item.name in WORKER_CONTAINERS), None)
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
