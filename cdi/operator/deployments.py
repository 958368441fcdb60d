"""The control plane's pods and services. Every pod fits the ``restricted`` pod security standard."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api.crd import Manifest
from cdi.operator.installation import COMPONENT, PART_OF, VERSION, Installation, labels, metadata
from cdi.operator.rbac import APISERVER, CONTROLLER, UPLOADPROXY
from cdi.operator.webhooks import SERVICE
from cdi.trust import signing_key
from cdi.trust.chains import UPLOAD_CLIENT, UPLOAD_PROXY

METRICS_PORT = 8443
HEALTH_PORT = 8444
API_PORT = 8443
UPLOAD_PORT = 8443
CERTIFICATES = "/var/run/certs"

_PROBE = {"initialDelaySeconds": 2, "periodSeconds": 5, "timeoutSeconds": 1, "successThreshold": 1}
_READY = {**_PROBE, "failureThreshold": 3}
# An API server that is down is waited for, an hour if need be: a process that is killed meanwhile comes later.
_STARTED = {"periodSeconds": 1, "timeoutSeconds": 1, "failureThreshold": 3600}
_UPLOADS_END_S = 300  # a pod that is replaced passes on what it has begun
_ALIVE = {**_PROBE, "timeoutSeconds": 5, "failureThreshold": 6}  # busy is not dead: half a minute of silence is


@dataclass(frozen=True, slots=True)
class Program:
    """One of our programs as a deployment of the same name. ``secrets``: mounted at ``CERTIFICATES``/NAME."""

    name: str
    command: str
    account: str
    ports: tuple[tuple[str, int], ...]
    ready: Manifest
    alive: Manifest
    env: tuple[Manifest, ...] = ()
    started: Manifest | None = None  # where the others answer only when it has begun
    has_metrics: bool = False
    secrets: tuple[str, ...] = ()
    grace_s: int | None = None  # Kubernetes' own, 30


def deployments(installation: Installation) -> list[Manifest]:
    programs = (_controller(installation), _apiserver(installation), _uploadproxy(installation))
    return [_deployment(program, installation) for program in programs]


def services(installation: Installation) -> list[Manifest]:
    here = installation.namespace
    return [
        _service(SERVICE, here, {COMPONENT: "cdi-apiserver"}, {"port": 443, "targetPort": API_PORT}),
        _service(UPLOADPROXY, here, {COMPONENT: "cdi-uploadproxy"}, {"port": 443, "targetPort": UPLOAD_PORT}),
        _service(
            "cdi-prometheus-metrics",
            here,
            {"prometheus.cdi.kubevirt.io": "true"},
            {"name": "metrics", "port": METRICS_PORT, "targetPort": "metrics"},
        ),
    ]


def _controller(installation: Installation) -> Program:
    return Program(
        "cdi-deployment",
        "cdi-controller",
        CONTROLLER,
        (("metrics", METRICS_PORT), ("health", HEALTH_PORT)),
        _http("/readyz", "health"),
        _http("/healthz", "health"),
        env=(
            _value("IMPORTER_IMAGE", installation.image),
            _value("CLONER_IMAGE", installation.image),
            _value("UPLOADSERVER_IMAGE", installation.image),
            _value("OVIRT_POPULATOR_IMAGE", installation.image),
            _value("UPLOADPROXY_SERVICE", "cdi-uploadproxy"),
            _value("PULL_POLICY", installation.pull_policy),
            _field("INSTALLER_PART_OF_LABEL", f"metadata.labels['{PART_OF}']"),
            _field("INSTALLER_VERSION_LABEL", f"metadata.labels['{VERSION}']"),
            *_everywhere(installation),
        ),
        has_metrics=True,
    )


def _apiserver(installation: Installation) -> Program:
    return Program(
        "cdi-apiserver",
        "cdi-apiserver",
        APISERVER,
        (("cdi-apiserver", API_PORT),),
        _http("/readyz", "cdi-apiserver", scheme="HTTPS"),
        _http("/healthz", "cdi-apiserver", scheme="HTTPS"),
        env=_everywhere(installation),
        started=_http("/healthz", "cdi-apiserver", scheme="HTTPS"),
    )


def _uploadproxy(installation: Installation) -> Program:
    """Its Secrets are made by cdi-apiserver: the kubelet starts it when they are there."""
    health = _http("/healthz", "cdi-uploadproxy", scheme="HTTPS")
    key = {"name": signing_key.NAME, "key": signing_key.PUBLIC}
    return Program(
        "cdi-uploadproxy",
        "cdi-uploadproxy",
        UPLOADPROXY,
        (("cdi-uploadproxy", UPLOAD_PORT),),
        health,
        health,
        env=(
            {"name": "APISERVER_PUBLIC_KEY", "valueFrom": {"secretKeyRef": key}},
            *_everywhere(installation),
        ),
        started=health,
        secrets=(UPLOAD_PROXY.target, UPLOAD_CLIENT.target),
        grace_s=_UPLOADS_END_S,
    )


def _everywhere(installation: Installation) -> tuple[Manifest, ...]:
    return (
        _value("VERBOSITY", str(installation.verbosity)),
        _field("POD_NAMESPACE", "metadata.namespace"),
        _field("POD_NAME", "metadata.name"),
    )


def _deployment(program: Program, installation: Installation) -> Manifest:
    chosen = {"app": "containerized-data-importer", COMPONENT: program.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": metadata(program.name, installation.namespace, component=program.name),
        "spec": {  # no replicas: one at first, and what somebody scaled it to is kept when this is applied again
            "selector": {"matchLabels": chosen},
            "template": {"metadata": _pod_metadata(program), "spec": _pod(program, installation)},
        },
    }


def _pod_metadata(program: Program) -> Manifest:
    extra = {"np.kubevirt.io/allow-access-cluster-services": "true"}
    if program.has_metrics:
        extra["prometheus.cdi.kubevirt.io"] = "true"
    return {
        "labels": labels(program.name) | extra,
        "annotations": {"openshift.io/required-scc": "restricted-v2"},
    }


def _pod(program: Program, installation: Installation) -> Manifest:
    return {
        "serviceAccountName": program.account,
        "nodeSelector": {"kubernetes.io/os": "linux"},
        "affinity": _apart(program.name),
        "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
        "containers": [_container(program, installation)],
        **({"terminationGracePeriodSeconds": program.grace_s} if program.grace_s else {}),
        "volumes": [
            {"name": "tmp", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
            *({"name": name, "secret": {"secretName": name}} for name in program.secrets),
        ],
    }


def _container(program: Program, installation: Installation) -> Manifest:
    return {
        "name": program.name,
        "image": installation.image,
        "imagePullPolicy": installation.pull_policy,
        "command": [program.command],
        "args": [f"-v={installation.verbosity}"],
        "env": list(program.env),
        "ports": [{"name": name, "containerPort": port, "protocol": "TCP"} for name, port in program.ports],
        **({"startupProbe": {**program.started, **_STARTED}} if program.started else {}),
        "readinessProbe": {**program.ready, **_READY},
        "livenessProbe": {**program.alive, **_ALIVE},
        "resources": {"requests": {"cpu": "100m", "memory": "150Mi"}},
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        # The one place to write to. In memory: private keys pass through it, as Python's ssl reads them from files.
        "volumeMounts": [
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108 - the pod's own
            *({"name": name, "mountPath": f"{CERTIFICATES}/{name}", "readOnly": True} for name in program.secrets),
        ],
    }


def _apart(name: str) -> Manifest:
    term = {"labelSelector": {"matchLabels": {COMPONENT: name}}, "topologyKey": "kubernetes.io/hostname"}
    preferred = [{"weight": 1, "podAffinityTerm": term}]
    return {"podAntiAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": preferred}}


def _service(name: str, namespace: str, selector: dict[str, str], port: Manifest) -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(name, namespace),
        "spec": {"selector": selector, "ports": [{**port, "protocol": "TCP"}]},
    }


def _http(path: str, port: str, scheme: str = "HTTP") -> Manifest:
    return {"httpGet": {"path": path, "port": port, "scheme": scheme}}


def _value(name: str, value: str) -> Manifest:
    return {"name": name, "value": value}


def _field(name: str, path: str) -> Manifest:
    return {"name": name, "valueFrom": {"fieldRef": {"fieldPath": path}}}
