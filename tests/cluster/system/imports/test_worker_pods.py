"""What the worker pods of an import look like."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.kinds import Cluster, Namespace, Object, annotations, condition
from support.manifests import claim, datavolume, http, storage
from support.nginx import Nginx

RETAIN = {"cdi.kubevirt.io/storage.pod.retainAfterCompletion": "true"}


def _importer(space: Namespace) -> Object:
    for event in space.cluster.watch("Pod", space.name, "", 60):
        if event["object"]["metadata"]["name"].startswith("importer-"):
            return dict(event["object"])
    raise AssertionError("no importer pod came")


@pytest.fixture
def priority_class(kinds: Cluster, space: Namespace) -> Iterator[str]:
    name = f"urgent-{space.name}"
    body = {"apiVersion": "scheduling.k8s.io/v1", "kind": "PriorityClass", "metadata": {"name": name}, "value": 7}
    kinds.create(body)
    yield name
    kinds.delete("PriorityClass", name)


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_a_pod_has_the_names_and_limits_that_clients_rely_on(space: Namespace, web: Nginx, class_name: str) -> None:
    space.create(
        datavolume("disk", http(web.url("disk.raw", "slow")), labels={"team": "blue"}, pvc=claim("128Mi", class_name))
    )
    pod = _importer(space)
    target = space.get("PersistentVolumeClaim", "disk")
    expected = "importer-disk" if class_name == "shared" else f"importer-prime-{target['metadata']['uid']}"
    assert pod["metadata"]["name"] == expected
    labels = pod["metadata"]["labels"]
    assert (labels["app"], labels["cdi.kubevirt.io"]) == ("containerized-data-importer", "importer")
    assert labels["prometheus.cdi.kubevirt.io"] == "true"
    container = pod["spec"]["containers"][0]
    assert (container["name"], container["ports"][0]["containerPort"]) == ("importer", 8443)
    assert container["securityContext"]["runAsUser"] == 107
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert pod["spec"]["restartPolicy"] == "OnFailure"
    assert pod["metadata"]["ownerReferences"][0]["kind"] == "PersistentVolumeClaim"
    assert not pod["spec"].get("enableServiceLinks", True)


@pytest.fixture
def broken_policy(kinds: Cluster, space: Namespace) -> Iterator[Callable[[], None]]:
    """Pods of this namespace need the consent of a webhook that nobody serves; called, it goes away."""
    name = f"broken-{space.name}"
    rule = {"apiGroups": [""], "apiVersions": ["v1"], "resources": ["pods"], "operations": ["CREATE"]}
    webhook = {
        "name": "broken.example.com",
        "rules": [rule],
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": space.name}},
        "clientConfig": {"url": "https://127.0.0.1:9/"},
        "sideEffects": "None",
        "admissionReviewVersions": ["v1"],
    }
    kind = {"apiVersion": "admissionregistration.k8s.io/v1", "kind": "ValidatingWebhookConfiguration"}
    kinds.create({**kind, "metadata": {"name": name}, "webhooks": [webhook]})
    gone = False

    def remove() -> None:
        nonlocal gone
        if not gone:
            kinds.delete("ValidatingWebhookConfiguration", name)
        gone = True

    yield remove
    remove()


def test_a_pod_that_a_broken_policy_keeps_away_is_told_and_comes_when_it_is_mended(
    space: Namespace, web: Nginx, broken_policy: Callable[[], None]
) -> None:
    space.create(datavolume("disk", http(web.url("disk.qcow2")), pvc=claim("64Mi", "shared")))
    held = space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("reason") == "ErrStartingPod")
    assert 'failed calling webhook "broken.example.com"' in condition(held, "Running")["message"]
    broken_policy()
    space.wait_phase("disk", "Succeeded")


def test_priority_class_service_account_and_networks_reach_the_pod(
    space: Namespace, web: Nginx, priority_class: str
) -> None:
    space.create({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "loader"}})
    notes = {
        "cdi.kubevirt.io/storage.pod.serviceAccountName": "loader",
        "k8s.v1.cni.cncf.io/networks": "net1",
        "sidecar.istio.io/inject": "true",
    }
    manifest = datavolume(
        "disk",
        http(web.url("disk.raw", "slow")),
        annotations=notes,
        priorityClassName=priority_class,
        storage=storage("128Mi", "csi"),
    )
    space.create(manifest)
    pod = _importer(space)
    assert pod["spec"]["priorityClassName"] == priority_class
    assert pod["spec"]["serviceAccountName"] == "loader"
    assert annotations(pod)["k8s.v1.cni.cncf.io/networks"] == "net1"
    assert annotations(pod)["sidecar.istio.io/inject"] == "true"


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_a_retained_pod_stays_and_others_go(space: Namespace, web: Nginx, class_name: str) -> None:
    spec = {"storage": storage("128Mi", class_name)}
    space.create(datavolume("kept", http(web.url("disk.qcow2")), annotations=RETAIN, **spec))
    space.create(datavolume("gone", http(web.url("disk.qcow2")), **spec))
    space.wait_phase("kept", "Succeeded")
    space.wait_phase("gone", "Succeeded")
    uids = {name: space.get("PersistentVolumeClaim", name)["metadata"]["uid"] for name in ("kept", "gone")}
    names = {name: f"importer-{name}" if class_name == "shared" else f"importer-prime-{uids[name]}" for name in uids}
    space.wait_gone("Pod", names["gone"])
    kept = space.get("Pod", names["kept"])
    assert kept["status"]["containerStatuses"][0]["state"]["terminated"]["exitCode"] == 0


@pytest.mark.parametrize("name", ["x" * 160, f"{'x' * 80}.{'y' * 79}"], ids=["long", "dotted"])
def test_long_names_make_valid_pods(space: Namespace, web: Nginx, name: str) -> None:
    space.create(datavolume(name, http(web.url("disk.qcow2")), storage=storage("128Mi", "shared")))
    space.wait_phase(name, "Succeeded")


@pytest.mark.alone
def test_a_pod_goes_where_the_cdi_object_says(kinds: Cluster, space: Namespace, web: Nginx) -> None:
    nowhere = "example.org/nowhere"
    before = kinds.get("CDI", "cdi")["spec"].get("workload", {}).get("nodeSelector", {})
    kinds.patch("CDI", "cdi", {"spec": {"workload": {"nodeSelector": {nowhere: "true"}}}})
    try:
        space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "shared")))
        pod = space.wait("Pod", "importer-disk", lambda _: True)
        assert pod["spec"]["nodeSelector"] == before | {nowhere: "true"}
        assert "nodeName" not in pod["spec"]
    finally:
        kinds.patch("CDI", "cdi", {"spec": {"workload": {"nodeSelector": {nowhere: None}}}})


@pytest.mark.alone
def test_a_pod_has_the_resources_that_are_configured(
    space: Namespace, web: Nginx, configure: Callable[[Object], None]
) -> None:
    configure({"podResourceRequirements": {"limits": {"memory": "700M"}, "requests": {"cpu": "50m"}}})
    space.create(datavolume("disk", http(web.url("disk.raw", "slow")), storage=storage("128Mi", "csi")))
    assert _importer(space)["spec"]["containers"][0]["resources"] == {
        "limits": {"cpu": "750m", "memory": "700M"},
        "requests": {"cpu": "50m", "memory": "60M"},
    }
