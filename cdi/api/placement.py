"""Where pods may run: Kubernetes' own types, as they occur in the CDI object. They are handed on to pods unread."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from msgspec import Struct

from cdi.api.marks import Int64, Required, shaped


class LabelRequirement(Struct, rename="camel", omit_defaults=True):
    key: Required[str] = ""
    """The label key that the requirement is about."""
    operator: Required[str] = ""
    """How the label's value relates to the values: In, NotIn, Exists or DoesNotExist."""
    values: list[str] = []
    """Needed with In and NotIn, not allowed with Exists and DoesNotExist."""


class LabelSelector(Struct, rename="camel", omit_defaults=True):
    atomic: ClassVar[bool] = True

    match_expressions: list[LabelRequirement] = []
    """Requirements, all of which must be met."""
    match_labels: dict[str, str] = {}
    """Labels that must be there with these values."""


class NodeRequirement(Struct, rename="camel", omit_defaults=True):
    key: Required[str] = ""
    """The node's label or field."""
    operator: Required[str] = ""
    """In, NotIn, Exists, DoesNotExist, Gt or Lt."""
    values: list[str] = []
    """What the operator compares with: one number for Gt and Lt."""


class NodeSelectorTerm(Struct, rename="camel", omit_defaults=True):
    atomic: ClassVar[bool] = True

    match_expressions: list[NodeRequirement] = []
    """Requirements about labels of the node."""
    match_fields: list[NodeRequirement] = []
    """Requirements about fields of the node."""


class NodeSelector(Struct, rename="camel", omit_defaults=True):
    atomic: ClassVar[bool] = True

    node_selector_terms: Required[list[NodeSelectorTerm]] = []
    """A node fits that fits one of the terms."""


class PreferredNode(Struct, rename="camel", omit_defaults=True):
    preference: Required[NodeSelectorTerm | None] = None
    """Which nodes are preferred."""
    weight: Required[int] = 0
    """How much, 1 to 100."""


class NodeAffinity(Struct, rename="camel", omit_defaults=True):
    preferred_during_scheduling_ignored_during_execution: list[PreferredNode] = []
    """Nodes that are preferred; the sum of the weights decides."""
    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """Nodes that are the only ones possible."""


class PodAffinityTerm(Struct, rename="camel", omit_defaults=True):
    label_selector: LabelSelector | None = None
    """The pods that it is about; none without it."""
    match_label_keys: list[str] = []
    """Labels of the new pod whose values the other pods must have too."""
    mismatch_label_keys: list[str] = []
    """Labels of the new pod whose values the other pods must not have."""
    namespace_selector: LabelSelector | None = None
    """Namespaces of the other pods, by label; empty selects all."""
    namespaces: list[str] = []
    """Namespaces of the other pods, by name; by default the pod's own."""
    topology_key: Required[str] = ""
    """The node label whose value says what is the same place."""


class PreferredPods(Struct, rename="camel", omit_defaults=True):
    pod_affinity_term: Required[PodAffinityTerm | None] = None
    """Which pods it is about."""
    weight: Required[int] = 0
    """How much, 1 to 100."""


class PodAffinity(Struct, rename="camel", omit_defaults=True):
    preferred_during_scheduling_ignored_during_execution: list[PreferredPods] = []
    """Preferences; the sum of the weights decides."""
    required_during_scheduling_ignored_during_execution: list[PodAffinityTerm] = []
    """Demands, all of which must be met."""


class Affinity(Struct, rename="camel", omit_defaults=True):
    node_affinity: NodeAffinity | None = None
    """Which nodes the pod wants."""
    pod_affinity: PodAffinity | None = None
    """Which pods the pod wants to be near to."""
    pod_anti_affinity: PodAffinity | None = None
    """Which pods the pod wants to be away from."""


class Toleration(Struct, rename="camel", omit_defaults=True):
    effect: str = ""
    """NoSchedule, PreferNoSchedule or NoExecute; empty means all."""
    key: str = ""
    """The taint's key; empty with operator Exists means all."""
    operator: str = ""
    """Exists or Equal, which is the default."""
    toleration_seconds: Int64[int | None] = None
    """How long NoExecute is tolerated; for ever without it."""
    value: str = ""
    """The taint's value that is tolerated."""


class NodePlacement(Struct, rename="camel", omit_defaults=True):
    affinity: Annotated[dict[str, Any] | None, shaped(Affinity)] = None
    """Affinity and anti-affinity of the pods, as in a pod's spec."""
    node_selector: dict[str, str] = {}
    """Labels that a node must have to run the pods."""
    tolerations: Annotated[list[dict[str, Any]], shaped(Toleration)] = []
    """Taints that do not keep the pods away."""


class Infra(NodePlacement, rename="camel", omit_defaults=True):
    api_server_replicas: int | None = None
    """How many API server pods run; values below 2 mean one."""
    deployment_replicas: int | None = None
    """How many controller pods run, one of which leads; values below 2 mean one."""
    upload_proxy_replicas: int | None = None
    """How many upload proxy pods run; values below 2 mean one."""
