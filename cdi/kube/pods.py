"""Views of pods, and of what leads to them."""

# ruff: noqa: RUF012 - msgspec copies empty defaults; ruff knows that of direct subclasses of Struct only
from __future__ import annotations

from msgspec import field

from cdi.kube.objects import Condition, Object, View


class ClaimSource(View, frozen=True):
    claim_name: str = ""
    read_only: bool = False


class PodVolume(View, frozen=True):
    name: str = ""
    persistent_volume_claim: ClaimSource | None = None


class Resources(View, frozen=True):
    limits: dict[str, str] = {}


class VolumeMount(View, frozen=True):
    name: str = ""
    read_only: bool = False


class VolumeDevice(View, frozen=True):
    name: str = ""


class Container(View, frozen=True):
    name: str = ""
    image: str = ""
    resources: Resources = field(default_factory=Resources)
    volume_mounts: list[VolumeMount] = []
    volume_devices: list[VolumeDevice] = []


class PodSpec(View, frozen=True):
    node_name: str = ""
    containers: list[Container] = []
    init_containers: list[Container] = []
    volumes: list[PodVolume] = []


class Waiting(View, frozen=True):
    reason: str = ""
    message: str = ""


class Running(View, frozen=True):
    started_at: str | None = None


class Terminated(View, frozen=True):
    """``message`` is what the container wrote to its termination log."""

    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    started_at: str | None = None
    finished_at: str | None = None


class ContainerState(View, frozen=True):
    """At most one member is set."""

    waiting: Waiting | None = None
    running: Running | None = None
    terminated: Terminated | None = None


class ContainerStatus(View, frozen=True):
    name: str = ""
    ready: bool = False
    restart_count: int = 0
    state: ContainerState = field(default_factory=ContainerState)
    last_state: ContainerState = field(default_factory=ContainerState)


class PodStatus(View, frozen=True):
    phase: str = ""
    reason: str = ""
    message: str = ""
    pod_ip: str = field(default="", name="podIP")
    conditions: list[Condition] = []
    container_statuses: list[ContainerStatus] = []
    init_container_statuses: list[ContainerStatus] = []


class Pod(Object, frozen=True):
    spec: PodSpec = field(default_factory=PodSpec)
    status: PodStatus = field(default_factory=PodStatus)

    @property
    def claims(self) -> list[str]:
        """The names of the claims that the pod mounts; a claim with such a pod is in use."""
        return [v.persistent_volume_claim.claim_name for v in self.spec.volumes if v.persistent_volume_claim]


class ServicePort(View, frozen=True):
    name: str = ""
    port: int = 0


class ServiceSpec(View, frozen=True):
    cluster_ip: str = field(default="", name="clusterIP")
    ports: list[ServicePort] = []


class Service(Object, frozen=True):
    spec: ServiceSpec = field(default_factory=ServiceSpec)


class BackendService(View, frozen=True):
    name: str = ""


class Backend(View, frozen=True):
    service: BackendService | None = None


class IngressPath(View, frozen=True):
    path: str = ""
    backend: Backend = field(default_factory=Backend)


class IngressHttp(View, frozen=True):
    paths: list[IngressPath] = []


class IngressRule(View, frozen=True):
    host: str = ""
    http: IngressHttp | None = None


class IngressSpec(View, frozen=True):
    default_backend: Backend | None = None
    rules: list[IngressRule] = []


class Ingress(Object, frozen=True):
    spec: IngressSpec = field(default_factory=IngressSpec)


class RouteTarget(View, frozen=True):
    name: str = ""


class RouteSpec(View, frozen=True):
    to: RouteTarget = field(default_factory=RouteTarget)


class RouteIngress(View, frozen=True):
    host: str = ""


class RouteStatus(View, frozen=True):
    ingress: list[RouteIngress] = []


class Route(Object, frozen=True):
    """OpenShift's older sister of Ingress; it leads to services only."""

    spec: RouteSpec = field(default_factory=RouteSpec)
    status: RouteStatus = field(default_factory=RouteStatus)
