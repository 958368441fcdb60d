"""Webhook configurations. cdi-apiserver puts in ``caBundle`` and the last segment of the path of datavolume-mutate.

Contract: ``matchPolicy: Exact``, no side effects. DataVolumes are looked at in both versions that we serve.
"""

from __future__ import annotations

from dataclasses import dataclass

from cdi.api.admission import RENDERING, VALIDATING
from cdi.api.crd import Manifest
from cdi.operator.installation import Installation, metadata

SERVICE = "cdi-api"
_API = "admissionregistration.k8s.io/v1"
_CDI = "cdi.kubevirt.io"
_WRITES = ("CREATE", "UPDATE")


@dataclass(frozen=True, slots=True)
class Target:
    """What a webhook is asked about. ``resources``: separated by spaces."""

    resources: str
    operations: tuple[str, ...] = _WRITES
    group: str = _CDI
    versions: tuple[str, ...] = ("v1beta1",)

    def rule(self) -> Manifest:
        return {
            "apiGroups": [self.group],
            "apiVersions": list(self.versions),
            "operations": list(self.operations),
            "resources": self.resources.split(),
            "scope": "*",
        }


@dataclass(frozen=True, slots=True)
class Webhook:
    """One webhook, in the configuration ``configuration``, at the path that is its name."""

    configuration: str
    name: str
    targets: tuple[Target, ...]
    failure_policy: str = "Fail"
    timeout_s: int = 30

    @property
    def full_name(self) -> str:
        return f"{self.name}.cdi.kubevirt.io"

    def manifest(self, namespace: str) -> Manifest:
        return {
            "name": self.full_name,
            "clientConfig": {
                "service": {"namespace": namespace, "name": SERVICE, "path": f"/{self.name}", "port": 443}
            },
            "rules": [target.rule() for target in self.targets],
            "failurePolicy": self.failure_policy,
            "matchPolicy": "Exact",
            "sideEffects": "None",
            "timeoutSeconds": self.timeout_s,
            "admissionReviewVersions": ["v1", "v1beta1"],
        }


_VOLUMES = Target("datavolumes", versions=("v1beta1", "v1alpha1"))
_CREATED = ("CREATE",)

DATAVOLUME_MUTATE = Webhook("cdi-api-datavolume-mutate", "datavolume-mutate", (_VOLUMES,))
_PVC_MUTATE = Webhook(
    RENDERING,
    "pvc-mutate",
    (Target("persistentvolumeclaims", _CREATED, group="", versions=("v1",)),),
    timeout_s=10,
)
_VALIDATING = (
    Webhook("cdi-api-datavolume-validate", "datavolume-validate", (_VOLUMES,)),
    Webhook("cdi-api-dataimportcron-validate", "dataimportcron-validate", (Target("dataimportcrons"),)),
    Webhook(
        "cdi-api-populator-validate",
        "populator-validate",
        (Target("volumeimportsources volumeuploadsources"),),
    ),
    Webhook("objecttransfer-api-validate", "objecttransfer-validate", (Target("objecttransfers"),)),
    Webhook(
        "cdi-api-validate",
        "cdi-validate",
        (Target("cdis", ("DELETE",), versions=("v1beta1", "v1alpha1")),),
        failure_policy="Ignore",
    ),
)
# Ours: it says of kinds that the contract has no webhook for that no controller acts on them yet. It never refuses.
_UNSERVED = Webhook(
    "cdi-api-populator-validate",
    "unserved-kind",
    (Target("ovirtvolumepopulators openstackvolumepopulators", _CREATED, group="forklift.cdi.kubevirt.io"),),
    failure_policy="Ignore",
)


def webhooks(installation: Installation) -> list[Manifest]:
    """The configurations, one per contract name."""
    here = installation.namespace
    return [
        _configuration("Mutating", DATAVOLUME_MUTATE.configuration, [DATAVOLUME_MUTATE.manifest(here)]),
        rendering(installation),
        *(_configuration("Validating", name, _of(name, here)) for name in VALIDATING),
    ]


def rendering(installation: Installation) -> Manifest:
    """Only claims that ask for it are completed. cdi-apiserver removes it while nothing is to be completed."""
    hook = _PVC_MUTATE.manifest(installation.namespace) | {
        "objectSelector": {"matchLabels": {"cdi.kubevirt.io/applyStorageProfile": "true"}},
        "admissionReviewVersions": ["v1"],
        "reinvocationPolicy": "Never",
    }
    return _configuration("Mutating", RENDERING, [hook])


def _of(configuration: str, namespace: str) -> list[Manifest]:
    chosen = [webhook for webhook in (*_VALIDATING, _UNSERVED) if webhook.configuration == configuration]
    return [webhook.manifest(namespace) for webhook in chosen]


def _configuration(kind: str, name: str, hooks: list[Manifest]) -> Manifest:
    return {
        "apiVersion": _API,
        "kind": f"{kind}WebhookConfiguration",
        "metadata": metadata(name),
        "webhooks": hooks,
    }
