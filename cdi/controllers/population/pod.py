"""A worker pod: what all kinds of work have in common, in security, placement and volumes. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cdi.contract import annotations as a
from cdi.contract import names
from cdi.contract.ownership import owner_reference
from cdi.controllers.population.kind import Case
from cdi.controllers.population.plan import Wanted, with_members
from cdi.controllers.population.scratch import SCRATCH_VOLUME
from cdi.controllers.restricted import SECCOMP, UID, container_security
from cdi.kube.storage import PersistentVolumeClaim

_DATA = "cdi-data-vol"
DEVICE = "/dev/cdi-block-volume"


@dataclass(frozen=True, slots=True)
class Program:
    """What runs in the pod. ``volumes``: beside the claim and scratch space, each with the path where it is mounted;
    ``devices``: by the name of a volume, the path of one that is mounted nowhere. ``labels`` and ``annotations``:
    beside those of all workers. ``probe``: of readiness, as Kubernetes writes it. ``name``: of a pod that is not the
    worker. ``data_path``: where the claim is mounted. ``is_owned``: by the claim. ``affinity``: where an administrator
    says none. ``hosts``: names that it knows without asking, each with its address."""

    container: str
    image: str
    command: str
    environment: Sequence[Mapping[str, Any]]
    port: str  # its name: the number is 8443 for all
    volumes: Sequence[tuple[Mapping[str, Any], str]] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    probe: Mapping[str, Any] | None = None
    devices: Mapping[str, str] = field(default_factory=dict)
    name: str = ""
    data_path: str = "/data"
    reads_only: bool = False
    is_owned: bool = True
    affinity: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, str] = field(default_factory=dict)


def worker_pod(case: Case, program: Program, *, scratch: bool) -> dict[str, Any]:
    """The manifest for ``create``."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": _metadata(case, program),
        "spec": _placed(case, program) | _spec(case, program, scratch=scratch),
    }


def _metadata(case: Case, program: Program) -> dict[str, Any]:
    claim, target = case.claim.metadata, case.target.metadata
    where = "" if target.namespace == claim.namespace else f"{target.namespace}/"
    ours = {a.OWN_TARGET: f"{where}{target.name}", a.OWN_DIGEST: case.asked.digest}
    return {
        "name": program.name or case.worker_name,
        "namespace": claim.namespace,
        "labels": a.APP | dict(case.seen.settings.labels) | dict(program.labels),
        "annotations": a.passed_on(claim.annotations) | dict(program.annotations) | ours,
        "ownerReferences": [owner_reference("v1", "PersistentVolumeClaim", claim)] if program.is_owned else [],
    }


def _placed(case: Case, program: Program) -> dict[str, Any]:
    """The node that the scheduler chose for the consumer is the worker's too; else what the CDI object says."""
    placement = {key: value for key, value in case.seen.cluster.placement.items() if value}
    if program.affinity:
        placement["affinity"] = {**program.affinity, **placement.get("affinity", {})}
    annotations = case.claim.metadata.annotations
    node = annotations.get(a.SELECTED_NODE)
    if node and a.POPULATOR_KIND in annotations:
        placement["nodeName"] = node
    return placement


def _spec(case: Case, program: Program, *, scratch: bool) -> dict[str, Any]:
    annotations, cluster = case.claim.metadata.annotations, case.seen.cluster
    volumes = _volumes(case, program, scratch=scratch)
    spec: dict[str, Any] = {
        "restartPolicy": "OnFailure",
        "enableServiceLinks": False,
        "automountServiceAccountToken": False,  # it asks the API server nothing, and it parses what strangers wrote
        "securityContext": {"seccompProfile": dict(SECCOMP)},
        "containers": [_container(case, program, volumes)],
        "volumes": [dict(volume) for volume, _ in volumes],
    }
    if spec["containers"][0]["volumeMounts"]:
        spec["securityContext"]["fsGroup"] = UID
    if program.hosts:
        spec["hostAliases"] = [{"ip": address, "hostnames": [name]} for name, address in program.hosts.items()]
    if cluster.pull_secrets:
        spec["imagePullSecrets"] = [{"name": name} for name in cluster.pull_secrets]
    if annotations.get(a.PRIORITY_CLASS):
        spec["priorityClassName"] = annotations[a.PRIORITY_CLASS]
    if annotations.get(a.SERVICE_ACCOUNT):
        spec["serviceAccountName"] = annotations[a.SERVICE_ACCOUNT]
    return spec


def _container(case: Case, program: Program, volumes: Sequence[tuple[Mapping[str, Any], str]]) -> dict[str, Any]:
    cluster, settings = case.seen.cluster, case.seen.settings
    container: dict[str, Any] = {
        "name": program.container,
        "image": program.image,
        "imagePullPolicy": cluster.pull_policy or settings.pull_policy,
        "command": [program.command],
        "args": [f"-v={cluster.verbosity or settings.verbosity}"],
        "ports": [{"name": program.port, "containerPort": 8443, "protocol": "TCP"}],
        "env": list(program.environment),
        "resources": dict(cluster.resources),
        "terminationMessagePolicy": "FallbackToLogsOnError",
        "securityContext": container_security(),
        "volumeMounts": [{"name": volume["name"], "mountPath": path} for volume, path in volumes if path],
    }
    devices = {_DATA: DEVICE} if is_block(case.claim) else {}
    devices |= program.devices
    if devices:
        container["volumeDevices"] = [{"name": name, "devicePath": path} for name, path in devices.items()]
    if program.probe:
        container["readinessProbe"] = dict(program.probe)
    return container


def variables(values: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of a container."""
    return [{"name": name, "value": value} for name, value in values.items()]


def completed(wanted: Wanted, told: Mapping[str, str], data: Mapping[str, str]) -> Wanted:
    """A pod whose container is ``told`` more, and the Secret that belongs to it with its ``data``."""
    spec = wanted.body["spec"]
    container = spec["containers"][0]
    container = {**container, "env": [*container["env"], *variables(told)]}
    pod = with_members(wanted, {"spec": {**spec, "containers": [container]}})
    return replace(pod, belongings=tuple(with_members(item, {"data": data}) for item in pod.belongings))


def is_block(claim: PersistentVolumeClaim) -> bool:
    return claim.spec.volume_mode == "Block"


def _volumes(case: Case, program: Program, *, scratch: bool) -> list[tuple[Mapping[str, Any], str]]:
    """With the path of the mount, empty for a device."""
    claim = case.claim.metadata.name
    reads_only = program.reads_only and not is_block(case.claim)
    found = [(_of_claim(_DATA, claim, reads_only=reads_only), "" if is_block(case.claim) else program.data_path)]
    if scratch:
        found.append((_of_claim(SCRATCH_VOLUME, names.scratch(claim)), "/scratch"))
    return [*found, *program.volumes]


def _of_claim(volume: str, claim: str, *, reads_only: bool = False) -> Mapping[str, Any]:
    source = {"claimName": claim} | ({"readOnly": True} if reads_only else {})
    return {"name": volume, "persistentVolumeClaim": source}
