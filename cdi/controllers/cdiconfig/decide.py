"""Spec and status of CDIConfig. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import (
    CDIConfig,
    CDIConfigSpec,
    CDIConfigStatus,
    FilesystemOverhead,
    ImportProxy,
    PodResources,
)
from cdi.kube.pods import Ingress, Route

AUTHORITY = "cdi.kubevirt.io/configAuthority"  # annotation of the CDI object
PROXY_SERVICE = "cdi-uploadproxy"
_LIMITS = {"cpu": "750m", "memory": "600M"}
_REQUESTS = {"cpu": "100m", "memory": "60M"}
_OVERHEAD = "0.06"
_PERCENT = re.compile(r"(0(?:\.[0-9]{1,3})?|1)")


@dataclass(frozen=True, slots=True)
class Observed:
    """``classes``: names of the storage classes. ``ingresses``, ``routes``: where the system is installed."""

    config: CDIConfig
    system: CDI | None
    classes: tuple[str, ...]
    ingresses: tuple[Ingress, ...] = ()
    routes: tuple[Route, ...] = ()


def spec_of(seen: Observed) -> CDIConfigSpec:
    """The CDI object is the authority, also where it says nothing any more, once it has taken over what was there."""
    if seen.system is None:
        return seen.config.spec
    said, is_authority = seen.system.spec.config, AUTHORITY in seen.system.metadata.annotations
    return said or (CDIConfigSpec() if is_authority else seen.config.spec)


def status_of(seen: Observed) -> CDIConfigStatus:
    spec = spec_of(seen)
    wanted = spec.scratch_space_storage_class or ""
    return CDIConfigStatus(
        default_pod_resource_requirements=_resources(spec.pod_resource_requirements),
        filesystem_overhead=_overhead(spec.filesystem_overhead, seen.classes),
        image_pull_secrets=spec.image_pull_secrets,
        import_proxy=_proxy(spec.import_proxy),
        preallocation=bool(spec.preallocation),
        scratch_space_storage_class=wanted if wanted in seen.classes else "",
        upload_proxy_ca=seen.config.status.upload_proxy_ca,
        upload_proxy_url=spec.upload_proxy_url_override or _published(seen.ingresses) or _routed(seen.routes),
    )


def _resources(said: PodResources | None) -> PodResources:
    """Processor and memory only, each by itself."""
    limits = {key: (said.limits if said else {}).get(key, value) for key, value in _LIMITS.items()}
    requests = {key: (said.requests if said else {}).get(key, value) for key, value in _REQUESTS.items()}
    return PodResources(limits=limits, requests=requests)


def _overhead(said: FilesystemOverhead | None, classes: Iterable[str]) -> FilesystemOverhead:
    """Every class is listed: readers need no rule."""
    common = said.global_ if said and _is_percent(said.global_) else None
    special = said.storage_class if said else {}
    each = {name: special[name] if _is_percent(special.get(name)) else common or _OVERHEAD for name in sorted(classes)}
    return FilesystemOverhead(global_=common or _OVERHEAD, storage_class=each)


def _is_percent(text: str | None) -> bool:
    return text is not None and _PERCENT.fullmatch(text) is not None


def _proxy(said: ImportProxy | None) -> ImportProxy:
    found = said or ImportProxy()
    return ImportProxy(
        found.http_proxy or "", found.https_proxy or "", found.no_proxy or "", found.trusted_ca_proxy or ""
    )


def _published(ingresses: Iterable[Ingress]) -> str | None:
    """The host of the first Ingress that leads to the upload proxy."""
    for ingress in ingresses:
        spec = ingress.spec
        if spec.default_backend and spec.default_backend.service and spec.default_backend.service.name == PROXY_SERVICE:
            return spec.rules[0].host if spec.rules and spec.rules[0].host else None
        for rule in spec.rules:
            backends = [path.backend.service for path in rule.http.paths] if rule.http else []
            if any(service and service.name == PROXY_SERVICE for service in backends):
                return rule.host or None
    return None


def _routed(routes: Iterable[Route]) -> str | None:
    """The first host at which OpenShift serves a Route that leads to the upload proxy."""
    hosts = (place.host for route in routes if route.spec.to.name == PROXY_SERVICE for place in route.status.ingress)
    return next((host for host in hosts if host), None)
