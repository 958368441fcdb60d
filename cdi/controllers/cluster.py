"""What an administrator decided for all workers, from CDIConfig and the CDI object. Pure data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec import to_builtins

from cdi.api.cdi import CDI
from cdi.api.cdiconfig import CDIConfig
from cdi.api.tlsprofile import terms_of
from cdi.base.tls import TlsTerms
from cdi.trust.lifetimes import Lifetimes, lifetimes

HONOR_WAIT_FOR_FIRST_CONSUMER = "HonorWaitForFirstConsumer"
CLAIM_ADOPTION = "DataVolumeClaimAdoption"
DEFAULT_CLAIM_PROPERTIES = "DefaultClaimProperties"  # ours

_RESOURCES = {"limits": {"cpu": "750m", "memory": "600M"}, "requests": {"cpu": "100m", "memory": "60M"}}
_NO_OVERHEAD: Mapping[str, str] = {}


@dataclass(frozen=True, slots=True)
class Proxy:
    http: str = ""
    https: str = ""
    no: str = ""
    certificates: str = ""  # name of a ConfigMap where the system is installed


@dataclass(frozen=True, slots=True)
class Cluster:
    """Defaults are those of a cluster whose CDIConfig is not there yet.

    ``placement``: nodeSelector, affinity and tolerations of worker pods, as Kubernetes writes them.
    ``tls`` and ``lifetimes``: of what upload servers show and accept.
    ``clone_strategy``: for all clones of claims, whatever the profiles say; empty where nobody says.
    ``overheads``: share of a Filesystem volume that a file system takes, by storage class; else ``global_overhead``.
    """

    gates: frozenset[str] = frozenset()
    scratch_class: str = ""
    resources: Mapping[str, Any] = field(default_factory=lambda: _RESOURCES)
    proxy: Proxy = Proxy()
    global_overhead: str = "0"
    overheads: Mapping[str, str] = field(default_factory=lambda: _NO_OVERHEAD)
    preallocation: bool = False
    pull_secrets: tuple[str, ...] = ()
    insecure_registries: tuple[str, ...] = ()
    placement: Mapping[str, Any] = field(default_factory=dict)
    webhook_rendering: bool = True
    verbosity: str = ""
    pull_policy: str = ""
    tls: TlsTerms = field(default_factory=lambda: terms_of(None))
    lifetimes: Lifetimes = field(default_factory=Lifetimes)
    clone_strategy: str = ""

    @property
    def honors_consumers(self) -> bool:
        """Whether workers wait for the first consumer of a claim whose class says so."""
        return HONOR_WAIT_FOR_FIRST_CONSUMER in self.gates

    def overhead(self, storage_class: str | None, volume_mode: str) -> str:
        """``storage_class``: the one that counts, None where there is none."""
        if volume_mode == "Block" or storage_class == "":
            return "0"
        if storage_class is None:
            return self.global_overhead
        return self.overheads.get(storage_class, self.global_overhead)


def cluster_of(config: CDIConfig | None, system: CDI | None) -> Cluster:
    """``system``: the active CDI object. What is not said keeps its default."""
    found = Cluster() if config is None else _configured(config)
    if system is None:
        return found
    placement = to_builtins(system.spec.workload) if system.spec.workload is not None else {}
    pull_policy = system.spec.image_pull_policy
    found = replace(found, clone_strategy=system.spec.clone_strategy_override or "")
    return replace(found, placement=placement, pull_policy=pull_policy, lifetimes=lifetimes(system))


def _configured(config: CDIConfig) -> Cluster:
    spec, status = config.spec, config.status
    resources = (
        to_builtins(status.default_pod_resource_requirements) if status.default_pod_resource_requirements else {}
    )
    overhead = status.filesystem_overhead
    return Cluster(
        gates=frozenset(spec.feature_gates),
        scratch_class=status.scratch_space_storage_class,
        resources=resources or _RESOURCES,
        proxy=_proxy(config),
        global_overhead=(overhead.global_ if overhead else None) or "0",
        overheads=overhead.storage_class if overhead else _NO_OVERHEAD,
        preallocation=status.preallocation,
        pull_secrets=tuple(item.name for item in status.image_pull_secrets),
        insecure_registries=tuple(spec.insecure_registries),
        webhook_rendering=spec.webhook_pvc_rendering != "Disabled",
        verbosity=str(spec.log_verbosity) if spec.log_verbosity is not None else "",
        tls=terms_of(spec.tls_security_profile),
    )


def _proxy(config: CDIConfig) -> Proxy:
    found = config.status.import_proxy
    if found is None:
        return Proxy()
    return Proxy(found.http_proxy or "", found.https_proxy or "", found.no_proxy or "", found.trusted_ca_proxy or "")
