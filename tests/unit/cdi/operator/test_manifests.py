"""deploy/cdi.yaml as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from cdi.api.cdi import standard
from cdi.operator.installation import Installation
from cdi.operator.manifests import document, manifests

ROOT = Path(__file__).parents[4]
PLACE = Installation(namespace="elsewhere", image="localhost/built:1")


def of_kind(kind: str, installation: Installation = PLACE) -> list[dict[str, Any]]:
    return [one for one in manifests(installation) if one["kind"] == kind]


def test_the_committed_file_is_current() -> None:
    assert (ROOT / "deploy" / "cdi.yaml").read_text() == document(Installation())


def test_the_file_is_plain_yaml_of_the_manifests() -> None:
    text = document(PLACE)
    assert list(yaml.safe_load_all(text)) == manifests(PLACE)
    assert "&id" not in text


def test_definitions_come_before_what_uses_them() -> None:
    kinds = [one["kind"] for one in manifests(PLACE)]
    assert kinds[0] == "Namespace"
    assert kinds.index("CustomResourceDefinition") < kinds.index("ServiceAccount") < kinds.index("Deployment")


def test_no_object_is_there_twice() -> None:
    names = [(one["kind"], one["metadata"]["name"], one["metadata"].get("namespace")) for one in manifests(PLACE)]
    assert len(names) == len(set(names))


def test_every_object_says_what_it_belongs_to() -> None:
    assert {one["metadata"]["labels"]["app"] for one in manifests(PLACE)} == {"containerized-data-importer"}


def test_what_is_namespaced_is_in_the_namespace_of_the_installation() -> None:
    namespaced = ("ServiceAccount", "Secret", "Role", "RoleBinding", "Service", "Deployment")
    for one in manifests(PLACE):
        assert one["metadata"].get("namespace") == ("elsewhere" if one["kind"] in namespaced else None)
    assert "namespace: cdi\n" not in document(PLACE)


def test_the_namespace_admits_restricted_pods_only() -> None:
    (namespace,) = of_kind("Namespace")
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_image_is_the_one_that_was_asked_for() -> None:
    containers = [one["spec"]["template"]["spec"]["containers"] for one in of_kind("Deployment")]
    assert {container["image"] for (container,) in containers} == {"localhost/built:1"}
    assert "containerized-data-importer:latest" not in document(PLACE)


def test_no_object_of_a_kind_that_is_only_being_brought_is_among_them() -> None:
    """One ``kubectl apply`` has to do; the controller makes the CDI object."""
    assert of_kind("CDI") == []


def test_the_standard_cdi_object_turns_our_gates_on() -> None:
    cdi = standard()
    assert cdi.metadata.name == "cdi"
    assert cdi.spec.config is not None
    assert cdi.spec.config.feature_gates == ["HonorWaitForFirstConsumer", "DefaultClaimProperties"]
    assert cdi.spec.workload is not None
    assert cdi.spec.workload.node_selector == {"kubernetes.io/os": "linux"}
