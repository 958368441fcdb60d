"""The importer pod: environment and volumes of the contract. Pure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cdi.base.sources import is_empty
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.controllers.cluster import Cluster, Proxy
from cdi.controllers.population.kind import Case
from cdi.controllers.population.pod import Program, is_block, variables, worker_pod
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.kind import needs_of
from cdi.sources.needs import Files, Key
from cdi.sources.parameters import Parameters

_STATE, _PROXY_CERTIFICATES = "cdi-state-vol", "cdi-proxy-cert-vol"


def importer_pod(case: Case, asked: Parameters, *, scratch: bool) -> dict[str, Any]:
    """The manifest for ``create``."""
    program = Program(
        container="importer",
        image=case.seen.settings.importer_image,
        command="/usr/bin/cdi-importer",
        environment=_environment(case, asked),
        port="metrics",
        volumes=_volumes(case, asked),
        labels={a.COMPONENT: "importer"} | a.PROMETHEUS | case.target.metadata.labels,
        annotations={a.CREATED_BY: "yes"},
    )
    return worker_pod(case, program, scratch=scratch)


def _environment(case: Case, asked: Parameters) -> list[dict[str, Any]]:
    needs, cluster = needs_of(asked), case.seen.cluster
    proxy = Proxy() if is_empty(asked.source) else cluster.proxy
    told = replace(
        needs.told,
        image_size=str(case.target.spec.resources.requests.get("storage", "")),
        overhead=case.seen.overhead,
        insecure=_is_insecure(asked, cluster),
        owner_uid=_owner_uid(case.claim),
        proxy_certificates="/proxycerts/" if proxy.certificates else "",
        durable=case.claim.metadata.annotations.get(a.OWN_DURABLE, ""),
    )
    values = told.encode() | dict.fromkeys(_UNSET, "") | dict(needs.variables)
    for files in needs.files:
        values |= files.variables(files.path)
    values |= {"http_proxy": proxy.http, "https_proxy": proxy.https, "no_proxy": proxy.no}
    # The keys come last: the kubelet puts the values of earlier variables into later ones that say so.
    return variables(values) + [_from_secret(key) for key in needs.keys]


_UNSET = (  # part of the contract: scripts and tests find them empty
    "IMPORTER_DISK_ID",
    "IMPORTER_UUID",
    "IMPORTER_PULL_METHOD",
    "IMPORTER_READY_FILE",
    "IMPORTER_DONE_FILE",
    "IMPORTER_BACKING_FILE",
    "IMPORTER_THUMBPRINT",
    "IMPORTER_CURRENT_CHECKPOINT",
    "IMPORTER_PREVIOUS_CHECKPOINT",
    "IMPORTER_FINAL_CHECKPOINT",
    "CACHE_MODE",
    "IMPORTER_REGISTRY_IMAGE_ARCHITECTURE",
)


def _from_secret(key: Key) -> dict[str, Any]:
    reference: dict[str, Any] = {"name": key.secret, "key": key.key}
    if key.optional:
        reference["optional"] = True
    return {"name": key.variable, "valueFrom": {"secretKeyRef": reference}}


def _owner_uid(claim: PersistentVolumeClaim) -> str:
    """The label of the progress metric: the one owner, else the claim itself."""
    owners = claim.metadata.owner_references
    return owners[0].uid if len(owners) == 1 else claim.metadata.uid


def _is_insecure(asked: Parameters, cluster: Cluster) -> bool:
    registries = (f"docker://{registry}/" for registry in cluster.insecure_registries)
    return asked.insecure or asked.endpoint.startswith(tuple(registries))


def _volumes(case: Case, asked: Parameters) -> list[tuple[dict[str, Any], str]]:
    if is_empty(asked.source):
        return []
    found: list[tuple[dict[str, Any], str]] = []
    if is_block(case.claim):
        # Where the importer keeps the journal of a device: it must outlive a restart of the container.
        found.append(({"name": _STATE, "emptyDir": {}}, "/tmp"))  # noqa: S108
    if case.seen.cluster.proxy.certificates:
        copy = {"name": names.proxy_certificates(case.claim.metadata.name)}
        found.append(({"name": _PROXY_CERTIFICATES, "configMap": copy}, "/proxycerts/"))
    return found + [(_of_files(files), files.path) for files in needs_of(asked).files]


def _of_files(files: Files) -> dict[str, Any]:
    if files.kind == "Secret":
        return {"name": files.volume, "secret": {"secretName": files.name}}
    return {"name": files.volume, "configMap": {"name": files.name}}
