from __future__ import annotations

from typing import Any

import pytest

from cdi.operator.deployments import deployments, services
from cdi.operator.installation import Installation

PLACE = Installation(image="localhost/built:1", verbosity=3)
BY_NAME = {one["metadata"]["name"]: one for one in deployments(PLACE)}
SERVICES = {one["metadata"]["name"]: one["spec"] for one in services(PLACE)}


def pod(name: str) -> dict[str, Any]:
    return dict(BY_NAME[name]["spec"]["template"]["spec"])


def container(name: str) -> dict[str, Any]:
    (only,) = pod(name)["containers"]
    return dict(only)


def test_deployments_have_the_contract_s_names_and_accounts() -> None:
    assert {name: pod(name)["serviceAccountName"] for name in BY_NAME} == {
        "cdi-deployment": "cdi-sa",
        "cdi-apiserver": "cdi-apiserver",
    }
    assert [container(name)["command"] for name in BY_NAME] == [["cdi-controller"], ["cdi-apiserver"]]


@pytest.mark.parametrize("name", BY_NAME)
def test_programs_are_told_how_much_to_log(name: str) -> None:
    assert container(name)["args"] == ["-v=3"]


@pytest.mark.parametrize("name", BY_NAME)
def test_pods_fit_the_restricted_standard(name: str) -> None:
    assert pod(name)["securityContext"] == {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}}
    security = container(name)["securityContext"]
    assert security["allowPrivilegeEscalation"] is False
    assert security["capabilities"] == {"drop": ["ALL"]}
    assert security["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("name", BY_NAME)
def test_pods_are_found_by_the_selector_and_kept_apart(name: str) -> None:
    labels = BY_NAME[name]["spec"]["template"]["metadata"]["labels"]
    assert BY_NAME[name]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    (apart,) = pod(name)["affinity"]["podAntiAffinity"]["preferredDuringSchedulingIgnoredDuringExecution"]
    assert apart["podAffinityTerm"]["labelSelector"]["matchLabels"] == {"cdi.kubevirt.io": name}


@pytest.mark.parametrize("name", BY_NAME)
def test_probes_ask_ports_that_the_pod_has(name: str) -> None:
    ports = {port["name"] for port in container(name)["ports"]}
    for probe in ("readinessProbe", "livenessProbe"):
        assert container(name)[probe]["httpGet"]["port"] in ports
    assert container(name)["readinessProbe"]["periodSeconds"] == 5


def test_the_controller_is_told_the_images_of_its_workers() -> None:
    values = {one["name"]: one.get("value") for one in container("cdi-deployment")["env"]}
    assert values == {
        "IMPORTER_IMAGE": "localhost/built:1",
        "CLONER_IMAGE": "localhost/built:1",
        "UPLOADSERVER_IMAGE": "localhost/built:1",
        "OVIRT_POPULATOR_IMAGE": "localhost/built:1",
        "UPLOADPROXY_SERVICE": "cdi-uploadproxy",
        "PULL_POLICY": "IfNotPresent",
        "VERBOSITY": "3",
        "INSTALLER_PART_OF_LABEL": None,
        "INSTALLER_VERSION_LABEL": None,
        "POD_NAMESPACE": None,
        "POD_NAME": None,
    }


def test_the_recommended_labels_are_read_from_the_pod_which_has_them() -> None:
    labels = BY_NAME["cdi-deployment"]["spec"]["template"]["metadata"]["labels"]
    for one in container("cdi-deployment")["env"]:
        path = one.get("valueFrom", {}).get("fieldRef", {}).get("fieldPath", "")
        if path.startswith("metadata.labels"):
            assert labels[path.split("'")[1]]


def test_the_api_service_leads_to_the_api_server() -> None:
    service = SERVICES["cdi-api"]
    assert service["selector"].items() <= BY_NAME["cdi-apiserver"]["spec"]["template"]["metadata"]["labels"].items()
    assert service["ports"] == [{"port": 443, "targetPort": 8443, "protocol": "TCP"}]
    assert container("cdi-apiserver")["ports"][0]["containerPort"] == 8443


def test_metrics_are_scraped_from_pods_that_have_them() -> None:
    service = SERVICES["cdi-prometheus-metrics"]
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in BY_NAME.items()}
    assert [name for name, one in labels.items() if service["selector"].items() <= one.items()] == ["cdi-deployment"]
    assert {"name": "metrics", "containerPort": 8443, "protocol": "TCP"} in container("cdi-deployment")["ports"]
