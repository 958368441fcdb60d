"""The webhook configurations in the cluster: whether they are there, whom they trust, and where they lead."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import Struct, field

from cdi.api.admission import RENDERING
from cdi.kube.client import Client
from cdi.kube.objects import Metadata, Object
from cdi.kube.resources import Resource
from cdi.kube.transport import AGENT
from cdi.operator.installation import Installation
from cdi.operator.webhooks import DATAVOLUME_MUTATE, rendering

log = logging.getLogger(__name__)

# Who applies the manifests once more: a configuration that we make is theirs, and nothing is in their way.
_INSTALLER = "kubectl"
_WAY = f"/{DATAVOLUME_MUTATE.name}"


class _Service(Struct):
    path: str = ""


class _ClientConfig(Struct, rename="camel"):
    ca_bundle: str = ""
    service: _Service | None = None
    url: str = ""


class _Hook(Struct, rename="camel"):
    name: str
    client_config: _ClientConfig


class _Metadata(Metadata, frozen=True):
    managed_fields: list[dict[str, Any]] = field(default_factory=list)


class Configuration(Object, frozen=True):
    metadata: _Metadata = field(default_factory=_Metadata)
    webhooks: list[_Hook] = field(default_factory=list)


def _resource(plural: str, kind: str) -> Resource[Configuration]:
    return Resource("admissionregistration.k8s.io", "v1", plural, kind, False, Configuration)


MUTATING = _resource("mutatingwebhookconfigurations", "MutatingWebhookConfiguration")
VALIDATING = _resource("validatingwebhookconfigurations", "ValidatingWebhookConfiguration")


@dataclass(frozen=True, slots=True)
class Aim:
    """``bundle``: the authorities that are trusted, in base64. ``segment``: the last one of the DataVolumes' path."""

    bundle: str
    segment: str


def leads_elsewhere(found: Configuration, segment: str) -> bool:
    """Whether API servers are sent past the entrance, as when the manifests were applied again."""
    return any(_place(hook) != _wanted_place(hook, Aim("", segment)) for hook in found.webhooks)


class Configurations:
    """``with_rendering``: whether claims are completed (``webhookPvcRendering``). While they are not, their
    configuration is gone: API servers ask nobody then, whether we answer or not."""

    def __init__(self, client: Client, namespace: str) -> None:
        self.with_rendering = True
        self._client = client
        self._installation = Installation(namespace=namespace)

    async def keep(self, resource: Resource[Configuration], name: str, aim: Aim) -> bool:
        """False: it should be there, and is missing. Raises ApiError."""
        found = await self._client.find(resource, name)
        if name == RENDERING and not self.with_rendering:
            if found is not None:
                await self._client.delete(resource, name, uid=found.metadata.uid)
                log.info("%s is removed: webhookPvcRendering is Disabled", name)
            return True
        if found is None:
            return name == RENDERING and await self._make_rendering(aim)
        wrong = [index for index, hook in enumerate(found.webhooks) if _changes(hook, aim)]
        if wrong:
            patch = [part for index in wrong for part in _patch(index, found.webhooks[index], aim)]
            found = await self._client.json_patch(resource, name, patch)
            log.info("%s leads to us and trusts the certificate authority", name)
        await self._owned_by_nobody(resource, found)
        return True

    async def _make_rendering(self, aim: Aim) -> bool:
        """By server-side apply: RBAC grants the making of one named object in no other way."""
        made = rendering(self._installation)
        trust = {"clientConfig": {"caBundle": aim.bundle}}
        hooks = [hook | {"clientConfig": hook["clientConfig"] | trust["clientConfig"]} for hook in made["webhooks"]]
        await self._client.apply(MUTATING, made | {"webhooks": hooks}, manager=_INSTALLER)
        ours = {"metadata": {"name": RENDERING}, "webhooks": [{"name": hook["name"]} | trust for hook in hooks]}
        await self._client.apply(MUTATING, ours, manager=AGENT)  # else it would go when the installer applies it again
        log.info("%s is made again", RENDERING)
        return True

    async def _owned_by_nobody(self, resource: Resource[Configuration], found: Configuration) -> None:
        """What we patched is the installer's all the same: `kubectl apply --server-side` would else be refused, as a
        path is in the manifest that we changed."""
        fields = found.metadata.managed_fields
        kept = [entry for entry in fields if not _is_patch_of_ours(entry)]
        if len(kept) == len(fields) or not kept:
            return
        version = {"op": "replace", "path": "/metadata/resourceVersion", "value": found.metadata.resource_version}
        owners = {"op": "replace", "path": "/metadata/managedFields", "value": kept}
        await self._client.json_patch(resource, found.metadata.name, [version, owners])


def _is_patch_of_ours(entry: Mapping[str, Any]) -> bool:
    return entry.get("manager") == AGENT and entry.get("operation") == "Update"


def _changes(hook: _Hook, aim: Aim) -> bool:
    return hook.client_config.ca_bundle != aim.bundle or _place(hook) != _wanted_place(hook, aim)


def _place(hook: _Hook) -> str:
    config = hook.client_config
    return config.service.path if config.service is not None else config.url


def _wanted_place(hook: _Hook, aim: Aim) -> str:
    """Only DataVolumes come by a path that others cannot know: only they are given what is worth a forgery."""
    if hook.name != DATAVOLUME_MUTATE.full_name:
        return _place(hook)
    host = "" if hook.client_config.service is not None else hook.client_config.url.partition(_WAY)[0]
    return f"{host}{_WAY}/{aim.segment}"


def _patch(index: int, hook: _Hook, aim: Aim) -> list[dict[str, str]]:
    path, place = f"/webhooks/{index}/clientConfig", _wanted_place(hook, aim)
    member = "service/path" if hook.client_config.service is not None else "url"
    moved = [{"op": "add", "path": f"{path}/{member}", "value": place}] if place != _place(hook) else []
    return [*moved, {"op": "add", "path": f"{path}/caBundle", "value": aim.bundle}]
