"""What differs from one installation to another, and what all installed objects have in common."""

from __future__ import annotations

from dataclasses import dataclass

from cdi import __version__
from cdi.api.crd import Manifest

PART_OF = "app.kubernetes.io/part-of"
VERSION = "app.kubernetes.io/version"
COMPONENT = "cdi.kubevirt.io"  # label: which of our programs a pod is; empty for configuration


@dataclass(frozen=True)  # no slots: the command reads the defaults from the class
class Installation:
    """``image`` holds all programs. ``verbosity``: 1 is normal, larger is more. ``monitoring``: namespace of
    Prometheus."""

    namespace: str = "cdi"
    image: str = "containerized-data-importer:latest"
    pull_policy: str = "IfNotPresent"
    verbosity: int = 1
    monitoring: str = "monitoring"


def labels(component: str = "") -> dict[str, str]:
    return {
        "app": "containerized-data-importer",
        COMPONENT: component,
        "app.kubernetes.io/component": "storage",
        "app.kubernetes.io/managed-by": "cdi-operator",
        PART_OF: "containerized-data-importer",
        VERSION: __version__,
    }


def metadata(name: str, namespace: str = "", *, component: str = "") -> Manifest:
    place = {"namespace": namespace} if namespace else {}
    return {"name": name, **place, "labels": labels(component)}
