"""The importer pod: environment, volumes and security of the contract. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from cdi.base.sources import is_empty
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.cluster import Cluster, Proxy
from cdi.controllers.settings import Settings
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.kind import needs_of
from cdi.sources.needs import Files, Key
from cdi.sources.parameters import Parameters

_UID = 107  # qemu, whom the disk belongs to
SCRATCH_VOLUME = "cdi-scratch-vol"
_DATA, _STATE = "cdi-data-vol", "cdi-state-vol"
_PROXY_CERTIFICATES = "cdi-proxy-cert-vol"


@dataclass(frozen=True, slots=True)
class Job:
    """One import. ``claim`` is written to, ``target`` is what is populated in the end: the same in the direct way."""

    claim: PersistentVolumeClaim
    target: PersistentVolumeClaim
    parameters: Parameters
    overhead: str = "0"
    scratch: bool = False


def importer_pod(job: Job, cluster: Cluster, settings: Settings) -> dict[str, Any]:
    """The manifest for ``create``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(job, settings),
        "spec": _placed(job, cluster) | _spec(job, cluster, settings),
    }


def _metadata(job: Job, settings: Settings) -> dict[str, Any]:
    labels = a.APP | {a.COMPONENT: "importer"} | a.PROMETHEUS | dict(settings.labels)
    return {
        "name": names.importer(job.claim.metadata.name),
        "namespace": job.claim.metadata.namespace,
        "labels": labels | (job.target.metadata.labels or {}),
        "annotations": a.passed_on(job.claim.metadata.annotations)
        | {a.CREATED_BY: "yes", a.OWN_TARGET: job.target.metadata.name, a.OWN_DIGEST: job.parameters.digest},
        "ownerReferences": [owner_reference("v1", "PersistentVolumeClaim", job.claim.metadata)],
    }


def _spec(job: Job, cluster: Cluster, settings: Settings) -> dict[str, Any]:
    annotations = job.claim.metadata.annotations
    spec: dict[str, Any] = {
        "restartPolicy": "OnFailure",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,  # it asks the API server nothing, and it parses what strangers wrote
        "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(job, cluster, settings)],
        "volumes": _volumes(job, cluster),
    }
    if spec["containers"][0]["volumeMounts"]:
        spec["securityContext"]["fsGroup"] = _UID
    if cluster.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.pull_secrets]
    if annotations.get(a.PRIORITY_CLASS):
        spec["priorityClassName"] = annotations[a.PRIORITY_CLASS]
    if annotations.get(a.SERVICE_ACCOUNT):
        spec["serviceAccountName"] = annotations[a.SERVICE_ACCOUNT]
    return spec


def _placed(job: Job, cluster: Cluster) -> dict[str, Any]:
    """The node that the scheduler chose for the consumer is the worker's too; else what the CDI object says."""
    placement = {key: value for key, value in cluster.placement.items() if value}
    node = job.claim.metadata.annotations.get(a.SELECTED_NODE)
    if node and a.POPULATOR_KIND in job.claim.metadata.annotations:
        placement["nodeName"] = node
    return placement


def _container(job: Job, cluster: Cluster, settings: Settings) -> dict[str, Any]:
    return {
        "name": "importer",
        "image": settings.importer_image,
        "imagePullPolicy": cluster.pull_policy or settings.pull_policy,
        "command": ["/usr/bin/cdi-importer"],
        "args": [f"-v={cluster.verbosity or settings.verbosity}"],
        "ports": [{"name": "metrics", "containerPort": 8443, "protocol": "TCP"}],
        "env": _environment(job, cluster),
        "resources": dict(cluster.resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": {
            "runAsUser": _UID,
            "runAsNonRoot": True,
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        **_mounts(job, cluster),
    }


def _environment(job: Job, cluster: Cluster) -> list[dict[str, Any]]:
    needs = needs_of(job.parameters)
    proxy = Proxy() if is_empty(job.parameters.source) else cluster.proxy
    told = replace(
        needs.told,
        image_size=str(job.target.spec.resources.requests.get("storage", "")),
        overhead=job.overhead,
        insecure=_is_insecure(job.parameters, cluster),
        owner_uid=_owner_uid(job.claim),
        proxy_certificates="/proxycerts/" if proxy.certificates else "",
        durable=job.claim.metadata.annotations.get(a.OWN_DURABLE, ""),
    )
    values = told.encode() | dict.fromkeys(_UNSET, "") | dict(needs.variables)
    for files in needs.files:
        values |= files.variables(files.path)
    values |= {"http_proxy": proxy.http, "https_proxy": proxy.https, "no_proxy": proxy.no}
    # The keys come last: the kubelet puts the values of earlier variables into later ones that say so.
    return [{"name": name, "value": value} for name, value in values.items()] + [
        _from_secret(key) for key in needs.keys
    ]


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


def is_block(claim: PersistentVolumeClaim) -> bool:
    return claim.spec.volume_mode == "Block"


def _volumes(job: Job, cluster: Cluster) -> list[dict[str, Any]]:
    claim = job.claim.metadata.name
    volumes: list[dict[str, Any]] = [_of_claim(_DATA, claim)]
    if job.scratch:
        volumes.append(_of_claim(SCRATCH_VOLUME, names.scratch(claim)))
    if is_empty(job.parameters.source):
        return volumes
    if is_block(job.claim):
        # The journal of a device must outlive a restart of the container.
        volumes.append({"name": _STATE, "emptyDir": {}})
    if cluster.proxy.certificates:
        volumes.append({"name": _PROXY_CERTIFICATES, "configMap": {"name": names.proxy_certificates(claim)}})
    return volumes + [_of_files(files) for files in needs_of(job.parameters).files]


def _of_files(files: Files) -> dict[str, Any]:
    if files.kind == "Secret":
        return {"name": files.volume, "secret": {"secretName": files.name}}
    return {"name": files.volume, "configMap": {"name": files.name}}


def _of_claim(volume: str, claim: str) -> dict[str, Any]:
    return {"name": volume, "persistentVolumeClaim": {"claimName": claim}}


def _mounts(job: Job, cluster: Cluster) -> dict[str, Any]:
    block = is_block(job.claim)
    paths = {
        _DATA: "/data",
        SCRATCH_VOLUME: "/scratch",
        _STATE: "/tmp",  # noqa: S108  where the importer keeps its journal
        _PROXY_CERTIFICATES: "/proxycerts/",
    } | {files.volume: files.path for files in needs_of(job.parameters).files}
    mounts = []
    for volume in _volumes(job, cluster):
        name = volume["name"]
        if not (block and name == _DATA):
            mounts.append({"name": name, "mountPath": paths[name]})
    found: dict[str, Any] = {"volumeMounts": mounts}
    if block:
        found["volumeDevices"] = [{"name": _DATA, "devicePath": "/dev/cdi-block-volume"}]
    return found
