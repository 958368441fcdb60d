from __future__ import annotations

from typing import Any

import pytest

from cdi.operator.deployments import deployments, services
from cdi.operator.installation import Installation
from cdi.trust.tokens import key_pair
from uploadproxy.proxy.process import GRACE_S, LEAVES_S, settings

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
        "cdi-uploadproxy": "cdi-uploadproxy",
    }
    commands = [container(name)["command"] for name in BY_NAME]
    assert commands == [["cdi-controller"], ["cdi-apiserver"], ["cdi-uploadproxy"]]


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


def test_the_upload_proxy_finds_its_certificates_and_the_key_of_tokens() -> None:
    found = settings({"APISERVER_PUBLIC_KEY": key_pair().public.decode()})
    files = {str(file) for pair in (found.served, found.shown) for file in (pair.certificate, pair.key)}
    mounts = {one["mountPath"]: one["name"] for one in container("cdi-uploadproxy")["volumeMounts"]}
    secrets = {one["name"]: one["secret"]["secretName"] for one in pod("cdi-uploadproxy")["volumes"] if "secret" in one}
    mounted = {place: secrets[name] for place, name in mounts.items() if name in secrets}
    assert files == {f"{place}/{key}" for place in mounted for key in ("tls.crt", "tls.key")}
    assert sorted(mounted.values()) == ["cdi-uploadproxy-server-cert", "cdi-uploadserver-client-cert"]
    (key,) = (one["valueFrom"] for one in container("cdi-uploadproxy")["env"] if one["name"] == "APISERVER_PUBLIC_KEY")
    assert key == {"secretKeyRef": {"name": "cdi-api-signing-key", "key": "id_rsa.pub"}}


def test_the_upload_proxy_is_where_the_contract_has_it_and_may_end_what_it_has_begun() -> None:
    service = SERVICES["cdi-uploadproxy"]
    labels = BY_NAME["cdi-uploadproxy"]["spec"]["template"]["metadata"]["labels"]
    assert service["selector"].items() <= labels.items()
    assert service["ports"] == [{"port": 443, "targetPort": 8443, "protocol": "TCP"}]
    assert pod("cdi-uploadproxy")["terminationGracePeriodSeconds"] > LEAVES_S + GRACE_S


def test_metrics_are_scraped_from_pods_that_have_them() -> None:
    service = SERVICES["cdi-prometheus-metrics"]
    labels = {name: one["spec"]["template"]["metadata"]["labels"] for name, one in BY_NAME.items()}
    assert [name for name, one in labels.items() if service["selector"].items() <= one.items()] == ["cdi-deployment"]
    assert {"name": "metrics", "containerPort": 8443, "protocol": "TCP"} in container("cdi-deployment")["ports"]
