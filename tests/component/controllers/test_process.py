"""``cdi-controller`` as a pod runs it, against a real API server."""

from __future__ import annotations

import json
import ssl
from pathlib import Path
from typing import Any

import pytest
from support.apiserver import NOBODY, ApiServer
from support.controller import Controller, storage_class, wait_until
from support.webhooks import NAMESPACE, Kubectl

from cdi.kube.resources import ROUTES, SNAPSHOT_CLASSES, VOLUME_POPULATORS, Resource

LEASE = "cdi-controller-leader-election-helper"


def profile(kubectl: Kubectl, name: str) -> dict[str, Any] | None:
    """None before it has a status."""
    found = kubectl.run("get", "storageprofile", name, "-o", "json")
    document: dict[str, Any] = json.loads(found.stdout) if found.returncode == 0 else {}
    return document if document.get("status") else None


def assert_it_works(kubectl: Kubectl, name: str) -> None:
    """By what controllers do for a new class."""
    kubectl.done("apply", "-f", "-", objects=storage_class(name))
    wait_until(lambda: profile(kubectl, name) is not None, f"a profile of {name}")


def holder(kubectl: Kubectl) -> str:
    return str(kubectl.get("lease", LEASE, "-n", NAMESPACE)["spec"].get("holderIdentity", ""))


@pytest.mark.slow
def test_a_process_that_leads_installs_the_configuration_and_tells_metrics_to_who_may_read_them(
    kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        assert (controller.probe("healthz"), controller.probe("readyz")) == (200, 200)
        assert holder(kubectl).startswith("one_")
        assert_it_works(kubectl, "measured")
        wait_until(lambda: kubectl.get("cdi", "cdi").get("status", {}).get("phase") == "Deployed", "deployed")

        system = kubectl.get("cdi", "cdi")
        for owned in (kubectl.get("storageprofile", "measured"), kubectl.get("cdiconfig", "config")):
            (owner,) = owned["metadata"]["ownerReferences"]
            assert (owner["kind"], owner["uid"], owner["controller"]) == ("CDI", system["metadata"]["uid"], True)

        reader = kubectl.done("create", "token", "cdi-metrics-reader", "-n", NAMESPACE).strip()
        assert controller.metrics()[0] == 401
        assert controller.metrics("of-nobody-we-know")[0] == 401
        assert controller.metrics(NOBODY)[0] == 403
        status, text = controller.metrics(reader)
        assert status == 200
        assert "kubevirt_cdi_cr_ready 1.0" in text
        assert "kubevirt_cdi_datavolume_pending 0.0" in text
        assert 'storageclass="measured"' in text


@pytest.mark.slow
def test_without_a_cdi_object_nothing_is_decided_and_it_comes_back(
    kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    """What is imported meanwhile keeps to the rules: nothing binds before its consumer."""
    late = storage_class("late") | {"volumeBindingMode": "WaitForFirstConsumer"}
    kubectl.done("apply", "-f", "-", objects=late)
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        wait_until(lambda: profile(kubectl, "late") is not None, "a profile")
        before = kubectl.get("cdi", "cdi")["metadata"]["uid"]
        # No garbage collector runs here: what goes with the CDI object is deleted as it would be.
        kubectl.done("delete", "cdi/cdi", "cdiconfig/config")
        kubectl.done("apply", "-f", "-", objects=blank("meanwhile"))
        wait_until(lambda: kubectl.run("get", "pvc", "meanwhile").returncode == 0, "the claim")
        after = kubectl.get("cdi", "cdi")
        assert after["metadata"]["uid"] != before
        assert kubectl.get("cdiconfig", "config")["spec"] == after["spec"]["config"]
        claim = kubectl.get("pvc", "meanwhile")
        assert "cdi.kubevirt.io/storage.bind.immediate.requested" not in claim["metadata"]["annotations"]
        assert claim["spec"]["accessModes"] == ["ReadWriteMany"]


def blank(name: str) -> dict[str, Any]:
    storage = {"storageClassName": "late", "resources": {"requests": {"storage": "1Gi"}}}
    kind = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": name}}
    return kind | {"spec": {"source": {"blank": {}}, "storage": storage}}


@pytest.mark.slow
def test_kinds_of_snapshots_may_come_after_the_controller(kubectl: Kubectl, access: Path, tmp_path: Path) -> None:
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        assert_it_works(kubectl, "snapped")
        define(kubectl, SNAPSHOT_CLASSES)
        kind = {"apiVersion": SNAPSHOT_CLASSES.api_version, "kind": "VolumeSnapshotClass"}
        driver = {"driver": "rook-ceph.rbd.csi.ceph.com", "deletionPolicy": "Delete"}
        kubectl.done("apply", "-f", "-", objects=kind | {"metadata": {"name": "snaps"}} | driver)
        wait_until(lambda: (profile(kubectl, "snapped") or {})["status"].get("snapshotClass") == "snaps", "the class")


@pytest.mark.slow
def test_the_tls_profile_counts_for_the_next_handshake(kubectl: Kubectl, access: Path, tmp_path: Path) -> None:
    def is_served(newest: ssl.TLSVersion) -> bool:
        return controller.metrics(newest=newest)[0] == 401

    def profile_is(kind: str) -> None:
        patch = {"spec": {"config": {"tlsSecurityProfile": {"type": kind, kind.lower(): {}}}}}
        kubectl.done("patch", "cdi", "cdi", "--type=merge", "-p", json.dumps(patch))

    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        wait_until(lambda: is_served(ssl.TLSVersion.TLSv1_2), "TLS 1.2 by default")
        profile_is("Modern")
        wait_until(lambda: not is_served(ssl.TLSVersion.TLSv1_2), "no TLS 1.2 any more")
        assert is_served(ssl.TLSVersion.TLSv1_3)
        profile_is("Intermediate")
        wait_until(lambda: is_served(ssl.TLSVersion.TLSv1_2), "TLS 1.2 again")


def define(kubectl: Kubectl, resource: Resource[Any]) -> None:
    """A kind that our installation does not bring."""
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    name = f"{resource.plural}.{resource.group}"
    metadata = {"name": name, "annotations": {"api-approved.kubernetes.io": "unapproved, for a test"}}
    spec = {
        "group": resource.group,
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "names": {"kind": resource.kind, "plural": resource.plural, "singular": resource.kind.lower()},
        "versions": [{"name": resource.version, "served": True, "storage": True, "schema": schema}],
    }
    kind = {"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition"}
    kubectl.done("apply", "-f", "-", objects={**kind, "metadata": metadata, "spec": spec})
    kubectl.done("wait", "--for=condition=Established", f"crd/{name}", "--timeout=60s")


@pytest.mark.slow
def test_a_route_says_where_the_upload_proxy_is(kubectl: Kubectl, access: Path, tmp_path: Path) -> None:
    define(kubectl, ROUTES)
    to = {"to": {"kind": "Service", "name": "cdi-uploadproxy"}}
    metadata = {"name": "upload", "namespace": NAMESPACE}
    route = {"apiVersion": "route.openshift.io/v1", "kind": "Route", "metadata": metadata, "spec": to}
    kubectl.done("apply", "-f", "-", objects=route | {"status": {"ingress": [{"host": "upload.test"}]}})

    def url() -> str:
        found = kubectl.run("get", "cdiconfig", "config", "-o", "jsonpath={.status.uploadProxyURL}")
        return found.stdout

    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        wait_until(lambda: url() == "upload.test", "the route's host")
        kubectl.done("delete", "route", "upload", "-n", NAMESPACE)
        wait_until(lambda: url() == "", "no host")


@pytest.mark.slow
def test_our_kinds_are_registered_where_a_cluster_knows_volume_populators(
    kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    with Controller(access, tmp_path, "before") as controller:
        controller.wait_for_log("the cluster knows no VolumePopulators")
    define(kubectl, VOLUME_POPULATORS)
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        wait_until(lambda: len(kubectl.get("volumepopulators")["items"]) == 5, "one per kind")
        found = kubectl.get("volumepopulator", "volumeimportsource")
        assert found["sourceKind"] == {"group": "cdi.kubevirt.io", "kind": "VolumeImportSource"}
        assert found["metadata"]["ownerReferences"][0]["uid"] == kubectl.get("cdi", "cdi")["metadata"]["uid"]


@pytest.mark.slow
def test_of_two_processes_one_works_and_the_other_takes_over(kubectl: Kubectl, access: Path, tmp_path: Path) -> None:
    reader = kubectl.done("create", "token", "cdi-metrics-reader", "-n", NAMESPACE).strip()
    with Controller(access, tmp_path, "first") as first, Controller(access, tmp_path, "second") as second:
        first.wait_until_ready()
        second.wait_until_ready()
        wait_until(lambda: first.leads or second.leads, "one leads")
        leader, other = (first, second) if first.leads else (second, first)
        assert_it_works(kubectl, "of-two")
        assert not other.leads
        assert "kubevirt_cdi" in leader.metrics(reader)[1]
        assert "kubevirt_cdi" not in other.metrics(reader)[1]

        assert leader.stop() == 0
        other.wait_until_it_leads()
        assert holder(kubectl).startswith(f"{other.name}_")
        assert_it_works(kubectl, "of-the-other")
        assert other.stop() == 0
        assert "Traceback" not in leader.log + other.log
    assert holder(kubectl) == ""


@pytest.mark.slow
def test_a_restart_of_the_api_server_is_waited_for(
    api: ApiServer, kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        assert_it_works(kubectl, "before-the-restart")
        before = controller.log.count("\n")
        api.kill()
        controller.wait_for_log("is not renewed", times=2)  # 2 s between them
        assert controller.probe("healthz") == 200
        api.start()
        assert_it_works(kubectl, "after-the-restart")
        assert controller.runs
        assert "Traceback" not in controller.log
        # Twenty watches, each tried again a few times: a hot loop would say thousands.
        assert controller.log.count("\n") - before < 300


@pytest.mark.slow
def test_a_process_that_cannot_renew_its_lease_ends_and_the_next_one_waits_for_the_api_server(
    api: ApiServer, kubectl: Kubectl, access: Path, tmp_path: Path
) -> None:
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        api.kill()
        assert controller.ended() == 1
    with Controller(access, tmp_path, "next") as following:
        following.wait_for_log("Cannot connect", times=2)
        assert (following.probe("healthz"), following.probe("readyz")) == (200, 503)
        assert following.log.count("\n") < 20
        api.start()
        following.wait_until_it_leads()
        assert_it_works(kubectl, "after-the-outage")


@pytest.mark.slow
def test_a_stop_while_nothing_answers_is_a_stop(api: ApiServer, access: Path, tmp_path: Path) -> None:
    with Controller(access, tmp_path) as controller:
        controller.wait_until_it_leads()
        api.kill()
        try:
            controller.wait_for_log("is not renewed")
            assert controller.stop() == 0
            assert "Traceback" not in controller.log
        finally:
            api.start()
