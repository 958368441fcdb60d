"""The contract's matrix of rights: what must be allowed, and what must not."""

from __future__ import annotations

from typing import Any

import pytest

from cdi.operator.installation import Installation
from cdi.operator.rbac import rbac

ALL = rbac(Installation())
ACCOUNTS = {one["metadata"]["name"] for one in ALL if one["kind"] == "ServiceAccount"}


def role(kind: str, name: str) -> list[dict[str, Any]]:
    (found,) = [one for one in ALL if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return list(found["rules"])


def rules_of(account: str, binding_kind: str) -> list[dict[str, Any]]:
    rules = []
    for one in ALL:
        if one["kind"] == binding_kind and any(subject["name"] == account for subject in one["subjects"]):
            rules += role(one["roleRef"]["kind"], one["roleRef"]["name"])
    return rules


def verbs(account: str, group: str, resource: str, *, here: bool = False) -> set[str]:
    """What ``account`` may do with any object; ``here``: in its own namespace."""
    rules = rules_of(account, "ClusterRoleBinding") + (rules_of(account, "RoleBinding") if here else [])
    return {
        verb
        for rule in rules
        if group in rule["apiGroups"] and {resource, "*"} & set(rule["resources"]) and "resourceNames" not in rule
        for verb in rule["verbs"]
    }


READ = {"get", "list", "watch"}


@pytest.mark.parametrize(
    ("group", "resource", "allowed"),
    [
        ("", "pods", READ | {"create", "delete"}),
        ("", "services", READ | {"create", "delete"}),
        ("", "secrets", {"create"}),
        ("", "configmaps", {"get", "create"}),
        ("", "events", READ | {"create", "patch"}),
        ("", "namespaces", READ),
        ("", "persistentvolumes", READ | {"update"}),
        ("", "persistentvolumeclaims", READ | {"create", "update", "patch", "delete", "deletecollection"}),
        ("", "persistentvolumeclaims/finalizers", {"update"}),
        ("storage.k8s.io", "storageclasses", READ),
        ("storage.k8s.io", "csidrivers", READ),
        ("cdi.kubevirt.io", "datavolumes", {"*"}),
        ("apiextensions.k8s.io", "customresourcedefinitions", READ),
        ("admissionregistration.k8s.io", "mutatingwebhookconfigurations", set()),
        ("rbac.authorization.k8s.io", "clusterroles", set()),
        ("populator.storage.k8s.io", "volumepopulators", {"create"}),
        ("", "nodes", set()),
    ],
)
def test_the_controller_may_do_this_in_the_cluster_and_no_more(group: str, resource: str, allowed: set[str]) -> None:
    assert verbs("cdi-sa", group, resource) == allowed


@pytest.mark.parametrize(
    ("group", "resource", "allowed"),
    [
        ("", "secrets", READ | {"create"}),
        ("", "configmaps", READ | {"create", "update", "delete"}),
        ("coordination.k8s.io", "leases", {"get", "create", "update", "patch"}),
        ("networking.k8s.io", "ingresses", READ),
    ],
)
def test_the_controller_may_do_this_in_its_namespace(group: str, resource: str, allowed: set[str]) -> None:
    assert verbs("cdi-sa", group, resource, here=True) == allowed


@pytest.mark.parametrize(
    ("resource", "allowed"), [("secrets", READ | {"create"}), ("configmaps", READ | {"create"}), ("pods", set())]
)
def test_the_api_server_may_do_this_in_its_namespace(resource: str, allowed: set[str]) -> None:
    assert verbs("cdi-apiserver", "", resource, here=True) == allowed


def test_the_api_server_reads_and_does_not_write_in_the_cluster() -> None:
    writes = {
        (resource, verb)
        for rule in rules_of("cdi-apiserver", "ClusterRoleBinding")
        if "resourceNames" not in rule
        for resource in rule["resources"]
        for verb in set(rule["verbs"]) - READ
    }
    assert writes == {("subjectaccessreviews", "create"), ("cdis/finalizers", "update")}


def test_the_api_server_changes_only_objects_that_are_its_own() -> None:
    named = {
        name: tuple(rule["verbs"])
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for rule in rules_of("cdi-apiserver", kind)
        for name in rule.get("resourceNames", ())
    }
    assert named == {
        "cdi-api-datavolume-mutate": ("get", "list", "watch", "patch"),
        "cdi-api-pvc-mutate": ("get", "patch", "create", "delete"),
        "cdi-api-datavolume-validate": ("get", "patch"),
        "cdi-api-dataimportcron-validate": ("get", "patch"),
        "cdi-api-populator-validate": ("get", "patch"),
        "objecttransfer-api-validate": ("get", "patch"),
        "cdi-api-validate": ("get", "patch"),
        "v1beta1.upload.cdi.kubevirt.io": ("get", "patch"),
        "cdi-apiserver-signer": ("update", "patch"),
        "cdi-apiserver-server-cert": ("update", "patch"),
        "cdi-apiserver-entrance": ("update", "patch"),
        "cdi-apiserver-signer-bundle": ("update", "patch"),
        "cdi-uploadproxy-signer": ("update", "patch"),
        "cdi-uploadproxy-server-cert": ("update", "patch"),
        "cdi-uploadproxy-signer-bundle": ("update", "patch"),
        "cdi-uploadserver-signer": ("update", "patch"),
        "cdi-uploadserver-signer-bundle": ("update", "patch"),
        "cdi-uploadserver-client-signer": ("update", "patch"),
        "cdi-uploadserver-client-cert": ("update", "patch"),
        "cdi-uploadserver-client-signer-bundle": ("update", "patch"),
    }


def test_proxy_and_poller_have_the_contract_s_few_rights() -> None:
    assert rules_of("cdi-uploadproxy", "ClusterRoleBinding") == [
        {"apiGroups": [""], "resources": ["persistentvolumeclaims"], "verbs": ["get"]}
    ]
    assert rules_of("cdi-cronjob", "ClusterRoleBinding") == [
        {
            "apiGroups": ["cdi.kubevirt.io"],
            "resources": ["dataimportcrons"],
            "verbs": ["get", "list", "update", "patch"],
        }
    ]


def test_only_the_kinds_of_the_contract_are_open_to_every_verb() -> None:
    wild = {
        (account, group)
        for account in ACCOUNTS
        for kind in ("ClusterRoleBinding", "RoleBinding")
        for rule in rules_of(account, kind)
        if "*" in rule["verbs"]
        for group in rule["apiGroups"]
    }
    assert wild == {("cdi-sa", "cdi.kubevirt.io"), ("cdi-sa", "forklift.cdi.kubevirt.io")}


@pytest.mark.parametrize("name", ["admin", "edit"])
def test_admins_and_editors_get_the_contract_s_rules_in_its_order(name: str) -> None:
    owned = [
        "datavolumes",
        "dataimportcrons",
        "datasources",
        "volumeimportsources",
        "volumeuploadsources",
        "volumeclonesources",
    ]
    assert role("ClusterRole", f"cdi.kubevirt.io:{name}") == [
        {"apiGroups": ["cdi.kubevirt.io"], "resources": owned, "verbs": ["*"]},
        {"apiGroups": ["cdi.kubevirt.io"], "resources": ["datavolumes/source"], "verbs": ["create"]},
        {"apiGroups": ["upload.cdi.kubevirt.io"], "resources": ["uploadtokenrequests"], "verbs": ["*"]},
        {
            "apiGroups": ["forklift.cdi.kubevirt.io"],
            "resources": ["ovirtvolumepopulators", "openstackvolumepopulators"],
            "verbs": ["*"],
        },
    ]


@pytest.mark.parametrize("name", ["admin", "edit", "view"])
def test_user_roles_are_aggregated(name: str) -> None:
    (found,) = [one for one in ALL if one["metadata"]["name"] == f"cdi.kubevirt.io:{name}"]
    assert found["metadata"]["labels"][f"rbac.authorization.k8s.io/aggregate-to-{name}"] == "true"


def test_viewers_only_read() -> None:
    assert {verb for rule in role("ClusterRole", "cdi.kubevirt.io:view") for verb in rule["verbs"]} == READ


def test_everybody_may_read_the_configuration() -> None:
    (binding,) = [
        one
        for one in ALL
        if one["kind"] == "ClusterRoleBinding" and one["metadata"]["name"] == "cdi.kubevirt.io:config-reader"
    ]
    assert [subject["name"] for subject in binding["subjects"]] == ["system:authenticated", "system:serviceaccount"]
    assert role("ClusterRole", "cdi.kubevirt.io:config-reader") == [
        {"apiGroups": ["cdi.kubevirt.io"], "resources": ["cdiconfigs", "storageprofiles"], "verbs": sorted(READ)}
    ]


def test_prometheus_finds_what_it_scrapes() -> None:
    (binding,) = [one for one in ALL if (one["kind"], one["metadata"]["name"]) == ("RoleBinding", "cdi-monitoring")]
    assert binding["metadata"]["namespace"] == "cdi"
    assert binding["subjects"] == [{"kind": "ServiceAccount", "name": "prometheus-k8s", "namespace": "monitoring"}]
    assert role("Role", "cdi-monitoring") == [
        {"apiGroups": [""], "resources": ["services", "endpoints", "pods"], "verbs": sorted(READ)}
    ]


def test_profiles_are_for_whom_an_administrator_binds() -> None:
    paths = ["/debug/pprof", "/debug/pprof/*"]
    assert role("ClusterRole", "cdi-pprof-reader") == [{"nonResourceURLs": paths, "verbs": ["get"]}]
    assert not [one for one in ALL if one.get("roleRef", {}).get("name") == "cdi-pprof-reader"]


def test_a_reader_of_metrics_may_read_metrics_only_and_has_a_token_that_lasts() -> None:
    assert rules_of("cdi-metrics-reader", "RoleBinding") == []
    assert rules_of("cdi-metrics-reader", "ClusterRoleBinding") == [{"nonResourceURLs": ["/metrics"], "verbs": ["get"]}]
    (token,) = [one for one in ALL if one["kind"] == "Secret"]
    assert token["metadata"]["name"] == "cdi-metrics-reader-token"
    assert token["metadata"]["annotations"] == {"kubernetes.io/service-account.name": "cdi-metrics-reader"}
