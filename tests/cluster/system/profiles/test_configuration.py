"""The CDI object as configuration, CDIConfig, and the ConfigMap of legacy clusters."""

from __future__ import annotations

import pytest
from support.kinds import Cluster, Namespace, Object
from support.manifests import V1BETA1, datavolume, storage

LEGACY = "kubevirt-storage-class-defaults"

pytestmark = pytest.mark.alone


def _spec(kinds: Cluster, config: Object) -> None:
    kinds.patch("CDI", "cdi", {"spec": {"config": config}})


def test_the_cdi_object_is_deployed_and_the_authority(kinds: Cluster) -> None:
    system = kinds.wait("CDI", "cdi", lambda found: found.get("status", {}).get("phase") == "Deployed")
    states = {item["type"]: item["status"] for item in system["status"]["conditions"]}
    assert states == {"Available": "True", "Progressing": "False", "Degraded": "False"}
    assert "cdi.kubevirt.io/configAuthority" in system["metadata"]["annotations"]
    kinds.wait("CDIConfig", "config", lambda found: found["spec"] == system["spec"]["config"])


def test_cdiconfig_follows_and_edits_of_it_vanish(kinds: Cluster, configured: Object) -> None:
    _spec(kinds, {"filesystemOverhead": {"global": "0.1", "storageClass": {"csi": "0.2"}}, "preallocation": True})
    found = kinds.wait("CDIConfig", "config", lambda item: item["status"].get("preallocation") is True)
    overhead = found["status"]["filesystemOverhead"]
    assert overhead["global"] == "0.1"
    assert (overhead["storageClass"]["csi"], overhead["storageClass"]["shared"]) == ("0.2", "0.1")
    kinds.patch("CDIConfig", "config", {"spec": {"preallocation": False}})
    kinds.wait("CDIConfig", "config", lambda item: item["spec"].get("preallocation") is True)
    assert configured.get("preallocation") is None


def test_a_scratch_class_counts_when_it_exists(kinds: Cluster, configured: Object) -> None:
    _spec(kinds, {"scratchSpaceStorageClass": "nowhere"})
    kinds.wait("CDIConfig", "config", lambda item: item["spec"].get("scratchSpaceStorageClass") == "nowhere")
    assert kinds.get("CDIConfig", "config")["status"].get("scratchSpaceStorageClass", "") == ""
    _spec(kinds, {"scratchSpaceStorageClass": "csi"})
    kinds.wait("CDIConfig", "config", lambda item: item["status"].get("scratchSpaceStorageClass") == "csi")
    assert "scratchSpaceStorageClass" not in configured


def test_a_deleted_cdiconfig_comes_back_with_its_status(kinds: Cluster) -> None:
    before = kinds.get("CDIConfig", "config")["metadata"]["uid"]
    kinds.delete("CDIConfig", "config")
    kinds.wait(
        "CDIConfig",
        "config",
        lambda item: item["metadata"]["uid"] != before and "filesystemOverhead" in item.get("status", {}),
    )


def test_a_second_cdi_object_is_in_error(kinds: Cluster) -> None:
    kinds.create({"apiVersion": V1BETA1, "kind": "CDI", "metadata": {"name": "second"}, "spec": {}})
    try:
        found = kinds.wait("CDI", "second", lambda item: item.get("status", {}).get("phase") == "Error")
        degraded = next(item for item in found["status"]["conditions"] if item["type"] == "Degraded")
        assert degraded["message"] == "Reconciling to error state, unwanted CDI object"
        assert kinds.get("CDI", "cdi")["status"]["phase"] == "Deployed"
    finally:
        kinds.delete("CDI", "second")


def test_defaults_of_a_legacy_cluster_stand_below_what_is_known(kinds: Cluster, space: Namespace) -> None:
    class_name = f"legacy-{space.name}"
    data = {
        "accessMode": "ReadWriteOnce",
        f"{class_name}.accessMode": "ReadWriteMany",
        f"{class_name}.volumeMode": "Block",
    }
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": LEGACY, "namespace": "cdi"}, "data": data}
    kinds.create(body)
    try:
        kinds.create(
            {
                "apiVersion": "storage.k8s.io/v1",
                "kind": "StorageClass",
                "metadata": {"name": class_name},
                "provisioner": "nobody.example.org/knows",
            }
        )
        sets = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}]
        kinds.wait("StorageProfile", class_name, lambda found: found.get("status", {}).get("claimPropertySets") == sets)
        space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", class_name)))
        made = space.wait("PersistentVolumeClaim", "disk", lambda _: True)["spec"]
        assert (made["accessModes"], made["volumeMode"]) == (["ReadWriteMany"], "Block")
    finally:
        kinds.delete("StorageClass", class_name)
        kinds.delete("ConfigMap", LEGACY, "cdi")


def test_without_the_gate_nobody_waits_for_a_consumer(kinds: Cluster, space: Namespace, configured: Object) -> None:
    gates = [gate for gate in configured["featureGates"] if gate != "HonorWaitForFirstConsumer"]
    _spec(kinds, {"featureGates": gates})
    kinds.wait("CDIConfig", "config", lambda item: item["spec"]["featureGates"] == gates)
    space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", "csi-wffc")))
    space.wait_phase("disk", "Succeeded")
