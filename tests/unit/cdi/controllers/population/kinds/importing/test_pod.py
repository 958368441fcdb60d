"""The importer pod, member by member, as clients and tests of the Go CDI know it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec

from cdi.contract import annotations as a
from cdi.controllers.cluster import Cluster, Proxy
from cdi.controllers.population.kind import Case
from cdi.controllers.population.kinds.importing.kind import Importing
from cdi.controllers.population.kinds.importing.pod import importer_pod
from cdi.controllers.population.observed import Observed
from cdi.controllers.settings import Settings
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.parameters import Parameters

SETTINGS = Settings(importer_image="repo/importer:1", verbosity="3", labels={"app.kubernetes.io/part-of": "kubevirt"})
HTTP = Parameters("http", "https://a/disk.qcow2")
PROXY = Proxy(http="http://proxy:3128", https="http://proxy:3129", no=".svc", certificates="proxy-ca")


def claim(mode: str = "Filesystem", owners: int = 1, **annotations: str) -> PersistentVolumeClaim:
    owner = [{"uid": f"o{number}", "kind": "DataVolume", "name": "disk"} for number in range(owners)]
    metadata = {"name": "disk", "namespace": "vms", "uid": "c1", "annotations": annotations, "ownerReferences": owner}
    spec = {"volumeMode": mode, "resources": {"requests": {"storage": "1Gi"}}}
    return msgspec.convert({"metadata": metadata | {"labels": {"team": "blue"}}, "spec": spec}, PersistentVolumeClaim)


def pod(
    parameters: Parameters = HTTP,
    found: PersistentVolumeClaim | None = None,
    cluster: Cluster | None = None,
    *,
    scratch: bool = False,
) -> dict[str, Any]:
    target = found or claim()
    seen = Observed(target, overhead="0.06", cluster=cluster or Cluster(), settings=SETTINGS)
    return importer_pod(Case(seen, Importing(), parameters, target, target, {}), parameters, scratch=scratch)


def environment(made: dict[str, Any]) -> dict[str, Any]:
    return {item["name"]: item.get("value", item.get("valueFrom")) for item in made["spec"]["containers"][0]["env"]}


def volumes(made: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Volume and mount path by name."""
    container = made["spec"]["containers"][0]
    mounts = {mount["name"]: mount["mountPath"] for mount in container["volumeMounts"]}
    return {volume["name"]: volume | {"at": mounts.get(volume["name"])} for volume in made["spec"]["volumes"]}


def test_names_labels_and_owner_are_the_contract_s() -> None:
    metadata = pod()["metadata"]
    assert (metadata["name"], metadata["namespace"]) == ("importer-disk", "vms")
    assert (
        metadata["labels"].items()
        >= {
            "app": "containerized-data-importer",
            "cdi.kubevirt.io": "importer",
            "prometheus.cdi.kubevirt.io": "true",
            "app.kubernetes.io/part-of": "kubevirt",
            "team": "blue",
        }.items()
    )
    (owner,) = metadata["ownerReferences"]
    assert (owner["kind"], owner["uid"], owner["controller"]) == ("PersistentVolumeClaim", "c1", True)


def test_it_runs_as_the_restricted_standard_wants_and_without_credentials() -> None:
    spec = pod()["spec"]
    (container,) = spec["containers"]
    assert container["securityContext"] == {
        "runAsUser": 107,
        "runAsNonRoot": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert (spec["restartPolicy"], spec["automountServiceAccountToken"]) == ("OnFailure", False)
    assert spec["securityContext"]["fsGroup"] == 107
    assert (container["name"], container["image"], container["args"]) == ("importer", "repo/importer:1", ["-v=3"])
    assert container["ports"] == [{"name": "metrics", "containerPort": 8443, "protocol": "TCP"}]


def test_the_environment_of_an_http_import() -> None:
    found = environment(pod(replace(HTTP, checksum="md5:12", headers=("X: a", "Y: b"), insecure=True)))
    assert (
        found.items()
        >= {
            "IMPORTER_SOURCE": "http",
            "IMPORTER_ENDPOINT": "https://a/disk.qcow2",
            "IMPORTER_CONTENTTYPE": "kubevirt",
            "IMPORTER_IMAGE_SIZE": "1Gi",
            "OWNER_UID": "o0",
            "FILESYSTEM_OVERHEAD": "0.06",
            "INSECURE_TLS": "true",
            "PREALLOCATION": "false",
            "IMPORTER_CHECKSUM": "md5:12",
            "IMPORTER_EXTRA_HEADER_0": "X: a",
            "IMPORTER_EXTRA_HEADER_1": "Y: b",
        }.items()
    )
    # Part of the contract: scripts and tests find them, empty.
    assert {found[name] for name in ("CACHE_MODE", "IMPORTER_UUID", "IMPORTER_DISK_ID", "IMPORTER_BACKING_FILE")} == {
        ""
    }


def test_several_owners_are_no_owner() -> None:
    assert environment(pod(found=claim(owners=2)))["OWNER_UID"] == "c1"


def test_credentials_are_references_and_never_values() -> None:
    found = environment(pod(Parameters("s3", "s3://b/disk", secret="keys")))
    assert found["IMPORTER_ACCESS_KEY_ID"] == {"secretKeyRef": {"name": "keys", "key": "accessKeyId"}}
    assert found["IMPORTER_SECRET_KEY"] == {"secretKeyRef": {"name": "keys", "key": "secretKey"}}
    session = {"secretKeyRef": {"name": "keys", "key": "sessionToken", "optional": True}}
    assert found["IMPORTER_SESSION_TOKEN"] == session
    assert "IMPORTER_SESSION_TOKEN" not in environment(pod(replace(HTTP, secret="keys")))


def test_certificates_and_headers_are_mounted() -> None:
    asked = replace(HTTP, cert_config_map="ca", secret_headers=("one", "two"))
    made = pod(asked, cluster=Cluster(proxy=PROXY))
    found = volumes(made)
    assert found["cdi-data-vol"]["at"] == "/data"
    assert (found["cdi-cert-vol"]["configMap"]["name"], found["cdi-cert-vol"]["at"]) == ("ca", "/certs")
    assert found["cdi-proxy-cert-vol"]["at"] == "/proxycerts/"
    assert found["cdi-secret-extra-headers-vol-1"]["secret"] == {"secretName": "two"}
    assert found["cdi-secret-extra-headers-vol-1"]["at"] == "/extraheaders/1"
    said = environment(made)
    assert (said["IMPORTER_CERT_DIR"], said["IMPORTER_PROXY_CERT_DIR"]) == ("/certs", "/proxycerts/")
    assert (said["http_proxy"], said["https_proxy"], said["no_proxy"]) == (
        "http://proxy:3128",
        "http://proxy:3129",
        ".svc",
    )


def test_a_device_is_a_device_with_a_place_for_its_journal_and_what_a_pod_before_had_recorded() -> None:
    made = pod(found=claim("Block", **{a.OWN_DURABLE: "record"}))
    (container,) = made["spec"]["containers"]
    assert container["volumeDevices"] == [{"name": "cdi-data-vol", "devicePath": "/dev/cdi-block-volume"}]
    assert volumes(made)["cdi-state-vol"]["at"] == "/tmp"
    assert environment(made)["IMPORTER_DURABLE"] == "record"
    assert "IMPORTER_DURABLE" not in environment(pod())


def test_scratch_space_is_a_claim_beside_it() -> None:
    found = volumes(pod(scratch=True))["cdi-scratch-vol"]
    assert found["persistentVolumeClaim"] == {"claimName": "disk-scratch"}
    assert found["at"] == "/scratch"


def test_a_blank_disk_needs_nothing_from_outside() -> None:
    made = pod(Parameters("none"), claim("Block"), Cluster(proxy=PROXY))
    said = environment(made)
    assert (said["IMPORTER_SOURCE"], said["IMPORTER_ENDPOINT"], said["http_proxy"]) == ("none", "", "")
    assert list(volumes(made)) == ["cdi-data-vol"]


def test_what_the_cluster_and_the_claim_say_of_pods_reaches_it() -> None:
    cluster = Cluster(
        placement={"nodeSelector": {"zone": "a"}, "affinity": None, "tolerations": [{"operator": "Exists"}]},
        pull_secrets=("registry",),
        resources={"limits": {"memory": "1G"}},
        verbosity="5",
    )
    notes = {a.PRIORITY_CLASS: "urgent", a.SERVICE_ACCOUNT: "importers", "k8s.v1.cni.cncf.io/networks": "net"}
    made = pod(found=claim(**notes), cluster=cluster)
    spec = made["spec"]
    assert spec["nodeSelector"] == {"zone": "a"}
    assert spec["tolerations"] == [{"operator": "Exists"}]
    assert "affinity" not in spec
    assert spec["imagePullSecrets"] == [{"name": "registry"}]
    assert (spec["priorityClassName"], spec["serviceAccountName"]) == ("urgent", "importers")
    assert spec["containers"][0]["resources"] == {"limits": {"memory": "1G"}}
    assert spec["containers"][0]["args"] == ["-v=5"]
    assert made["metadata"]["annotations"]["k8s.v1.cni.cncf.io/networks"] == "net"


def test_a_populator_s_worker_runs_where_the_consumer_was_placed() -> None:
    notes = {a.SELECTED_NODE: "node-7"}
    assert "nodeName" not in pod(found=claim(**notes))["spec"]
    assert pod(found=claim(**notes, **{a.POPULATOR_KIND: "VolumeImportSource"}))["spec"]["nodeName"] == "node-7"


def test_the_image_is_pulled_as_the_cdi_object_says() -> None:
    assert pod()["spec"]["containers"][0]["imagePullPolicy"] == SETTINGS.pull_policy
    assert pod(cluster=Cluster(pull_policy="Always"))["spec"]["containers"][0]["imagePullPolicy"] == "Always"
