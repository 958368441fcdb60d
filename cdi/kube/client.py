"""The verbs of the API, typed: what comes back is decoded from the bytes straight into the resource's type.

All may raise what ``cdi.kube.errors`` lists. A write that ends with Unreachable may have happened. Nothing is
retried here: whoever called looks again and decides anew.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, TypeVar

import msgspec
from msgspec import Raw, Struct, field

from cdi.kube import errors
from cdi.kube.config import Access
from cdi.kube.decoding import read
from cdi.kube.lines import lines
from cdi.kube.portforward import PROTOCOL, PortForward
from cdi.kube.resources import Resource
from cdi.kube.transport import Call, Transport

T = TypeVar("T")

PAGE = 500
_EVENT_BYTES = 16 << 20  # no object is as big
_LOG_LINE_BYTES = 64 << 10  # what is longer comes in pieces


@dataclass(frozen=True)
class Selection:
    """Which objects of a kind: ``labels`` and ``fields`` are selectors in the API's own notation."""

    namespace: str = ""
    labels: str = ""
    fields: str = ""

    @property
    def query(self) -> dict[str, str]:
        both = {"labelSelector": self.labels, "fieldSelector": self.fields}
        return {name: selector for name, selector in both.items() if selector}


EVERYTHING = Selection()


class _ListMetadata(Struct, rename="camel"):
    resource_version: str = ""
    continue_: str = field(default="", name="continue")


class Page(Struct):
    """Part of a list. Its metadata hold the version that the whole list shows."""

    metadata: _ListMetadata
    items: list[Raw] | None = None


class WatchEvent(Struct):
    """``type``: ``ADDED``, ``MODIFIED``, ``DELETED`` or ``BOOKMARK``."""

    type: str
    object: Raw


@dataclass(frozen=True)
class WatchFrom:
    """Where a watch begins: after ``resource_version``, or with all objects that exist (``initial_events``).

    The server ends it after ``timeout_s``. That it did not, ``grace_s`` later, counts as Unreachable. (Silence says
    nothing: where nothing happens a 1.36 sent no bookmark in two minutes. Dead hosts are TCP's to notice, in 30 s.)
    """

    resource_version: str = ""
    initial_events: bool = False
    timeout_s: int = 300
    grace_s: float = 30.0

    @property
    def query(self) -> dict[str, str]:
        common = {"watch": "1", "allowWatchBookmarks": "true", "timeoutSeconds": str(self.timeout_s)}
        if self.initial_events:
            return common | {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        return common | {"resourceVersion": self.resource_version}


@dataclass(frozen=True)
class LogOptions:
    """``since``: an RFC 3339 time. ``follow``: until the container ends."""

    container: str = ""
    follow: bool = True
    since: str = ""
    tail_lines: int | None = None
    previous: bool = False

    @property
    def query(self) -> dict[str, str]:
        query = {"follow": str(self.follow).lower(), "previous": str(self.previous).lower()}
        if self.container:
            query["container"] = self.container
        if self.since:
            query["sinceTime"] = self.since
        if self.tail_lines is not None:
            query["tailLines"] = str(self.tail_lines)
        return query


class Client:
    """Open it with ``async with``; it may be shared by all tasks of a loop."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self._transport = Transport(access)

    async def __aenter__(self) -> Self:
        await self._transport.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._transport.close()

    async def get(self, resource: Resource[T], name: str, namespace: str = "") -> T:
        return await self._one(resource, Call("GET", resource.path(namespace, name)))

    async def find(self, resource: Resource[T], name: str, namespace: str = "") -> T | None:
        """None when there is no such object."""
        try:
            return await self.get(resource, name, namespace)
        except errors.NotFound:
            return None

    async def some(
        self, resource: Resource[T], count: int, labels: str = "", *, namespace: str = "", fields: str = ""
    ) -> list[T]:
        """At most ``count``, of all namespaces or one: to know whether there are any, or by a bounded answer."""
        async with aclosing(self.pages(resource, Selection(namespace, labels, fields), count)) as pages:
            page = await anext(pages)
        return [read(resource.type, item, resource.plural) for item in page.items or ()]

    async def list(self, resource: Resource[T], namespace: str = "", labels: str = "", fields: str = "") -> list[T]:
        selection = Selection(namespace, labels, fields)
        found: list[T] = []
        async for page in self.pages(resource, selection):
            found += [read(resource.type, item, resource.plural) for item in page.items or ()]
        return found

    async def pages(
        self, resource: Resource[Any], selection: Selection, size: int = PAGE
    ) -> AsyncGenerator[Page, None]:
        """A consistent list in parts. Gone when a later page comes too late (5 minutes): begin again."""
        query = {**selection.query, "limit": str(size)}
        while True:
            body = await self._transport.answer(Call("GET", resource.path(selection.namespace), query))
            page = read(Page, body, resource.plural)
            yield page
            if not page.metadata.continue_:
                return
            query["continue"] = page.metadata.continue_

    async def create(self, resource: Resource[T], body: Mapping[str, Any], namespace: str = "") -> T:
        """Into ``namespace``, or into that of its metadata. AlreadyExists when the name is taken."""
        place = namespace or body["metadata"].get("namespace", "")
        return await self._one(resource, Call("POST", resource.path(place), body=_document(resource, body)))

    async def apply(
        self,
        resource: Resource[T],
        body: Mapping[str, Any],
        *,
        manager: str,
        force: bool = True,
        subresource: str = "",
    ) -> T:
        """Server-side apply: ``manager`` owns the fields of ``body`` and gives up those it had before.

        Creates what is missing. Without ``force`` another manager's field is a Conflict whose causes name it.
        """
        call = Call(
            "PATCH",
            _path_of(resource, body, subresource),
            {"fieldManager": manager, "force": str(force).lower()},
            _document(resource, body),
            "application/apply-patch+yaml",
        )
        return await self._one(resource, call)

    async def merge_patch(
        self,
        resource: Resource[T],
        name: str,
        patch: Mapping[str, Any],
        *,
        namespace: str = "",
        subresource: str = "",
    ) -> T:
        """JSON merge patch: None removes a member. With ``metadata.resourceVersion`` it is a compare-and-swap."""
        path = resource.path(namespace, name, subresource)
        body = msgspec.json.encode(patch)
        return await self._one(resource, Call("PATCH", path, body=body, content_type="application/merge-patch+json"))

    async def json_patch(
        self, resource: Resource[T], name: str, patch: Sequence[Mapping[str, Any]], *, namespace: str = ""
    ) -> T:
        """RFC 6902: for parts of lists. Invalid when a path leads nowhere."""
        body = msgspec.json.encode(patch)
        call = Call("PATCH", resource.path(namespace, name), body=body, content_type="application/json-patch+json")
        return await self._one(resource, call)

    async def replace(self, resource: Resource[T], body: Mapping[str, Any], *, subresource: str = "") -> T:
        """``body`` must be the whole object: what it lacks is erased. Never one that was decoded into a view."""
        call = Call("PUT", _path_of(resource, body, subresource), body=_document(resource, body))
        return await self._one(resource, call)

    async def delete(
        self,
        resource: Resource[Any],
        name: str,
        namespace: str = "",
        *,
        uid: str = "",
        resource_version: str = "",
    ) -> None:
        """What is not there counts as deleted. Conflict when the name has another object than ``uid``, or that one has
        changed since ``resource_version``."""
        wanted = {"uid": uid, "resourceVersion": resource_version}
        wanted = {key: value for key, value in wanted.items() if value}
        options: dict[str, Any] = {"preconditions": wanted} if wanted else {}
        try:
            path = resource.path(namespace, name)
            await self._transport.answer(Call("DELETE", path, body=msgspec.json.encode(options)))
        except errors.NotFound:
            return

    async def watch(
        self, resource: Resource[Any], selection: Selection = EVERYTHING, start: WatchFrom = WatchFrom()
    ) -> AsyncGenerator[WatchEvent, None]:
        """Ends when the server ends it. Gone when it cannot begin there. Close it (``aclosing``)."""
        call = Call("GET", resource.path(selection.namespace), selection.query | start.query)
        async with aclosing(self._lines(call, start.timeout_s + start.grace_s, _EVENT_BYTES)) as events:
            async for line in events:
                event = read(WatchEvent, line, resource.plural)
                if event.type == "ERROR":
                    raise errors.from_answer(0, bytes(event.object))
                yield event

    async def log_lines(
        self, namespace: str, pod: str, options: LogOptions = LogOptions()
    ) -> AsyncGenerator[bytes, None]:
        """A container's output, line by line. BadRequest while it has not started. Close it (``aclosing``)."""
        call = Call("GET", f"/api/v1/namespaces/{namespace}/pods/{pod}/log", options.query)
        async with aclosing(self._lines(call, None, _LOG_LINE_BYTES)) as found:
            async for line in found:
                yield line

    @asynccontextmanager
    async def port_forward(self, namespace: str, pod: str, port: int) -> AsyncIterator[PortForward]:
        """One connection to a port of a pod. Needs the verbs get and create of pods/portforward."""
        path = f"/api/v1/namespaces/{namespace}/pods/{pod}/portforward"
        call = Call("GET", path, {"ports": str(port)})
        async with AsyncExitStack() as held:
            try:
                opened = await held.enter_async_context(self._transport.web_socket(call, PROTOCOL))
            except (errors.Forbidden, errors.NotFound):
                await self._transport.answer(call)  # is refused likewise, and says why
                raise
            yield PortForward(opened)

    async def get_raw(self, path: str) -> bytes:
        """The body at a path such as ``/version`` or ``/openapi/v3``."""
        return await self._transport.answer(Call("GET", path))

    async def _lines(self, call: Call, idle_s: float | None, limit: int) -> AsyncGenerator[bytes, None]:
        async with aclosing(self._transport.chunks(call, idle_s)) as chunks, aclosing(lines(chunks, limit)) as found:
            async for line in found:
                yield line

    async def _one(self, resource: Resource[T], call: Call) -> T:
        return read(resource.type, await self._transport.answer(call), call.path)


def _document(resource: Resource[Any], body: Mapping[str, Any]) -> bytes:
    """Callers need not repeat what the resource says."""
    return msgspec.json.encode({"apiVersion": resource.api_version, "kind": resource.kind, **body})


def _path_of(resource: Resource[Any], body: Mapping[str, Any], subresource: str) -> str:
    metadata = body["metadata"]
    return resource.path(metadata.get("namespace", ""), metadata["name"], subresource)
