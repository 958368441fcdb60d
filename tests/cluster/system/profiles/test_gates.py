"""Feature gates: what changes on a cluster that has other ones than ours."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from support.kinds import Cluster, Namespace, Object, Refused, condition
from support.manifests import claim, datavolume, http, storage, storage_class
from support.nginx import Nginx

pytestmark = pytest.mark.alone

Configure = Callable[[Object], None]


def test_without_the_gate_no_import_waits_for_a_consumer(space: Namespace, web: Nginx, configure: Configure) -> None:
    configure({"featureGates": []})
    sources = {"image": http(web.url("disk.qcow2")), "empty": {"blank": {}}}
    for name, source in sources.items():
        space.create(datavolume(name, source, pvc=claim("128Mi", "csi-wffc")))
    for name in sources:
        space.wait_phase(name, "Succeeded", timeout_s=120)
    space.create(datavolume("bad", http(web.url("nothing.qcow2")), pvc=claim("128Mi", "csi-wffc")))
    held = space.wait("DataVolume", "bad", lambda found: condition(found, "Running").get("reason") == "Error")
    assert held["status"]["phase"] == "ImportInProgress"


def test_without_our_gate_an_unknown_provisioner_waits_for_its_profile(
    kinds: Cluster, space: Namespace, new_class: str, configure: Configure
) -> None:
    configure({"featureGates": ["HonorWaitForFirstConsumer"]})
    kinds.create(storage_class(new_class, "nobody.example.org/knows"))
    kinds.wait("StorageProfile", new_class, lambda found: "status" in found)
    space.create(datavolume("disk", {"blank": {}}, storage=storage("64Mi", new_class)))
    text = space.wait_event("disk", "ErrClaimNotValid")
    assert "no accessMode specified in StorageProfile" in text
    assert space.find("PersistentVolumeClaim", "disk") is None
    sets = [{"accessModes": ["ReadWriteMany"], "volumeMode": "Filesystem"}]
    kinds.patch("StorageProfile", new_class, {"spec": {"claimPropertySets": sets}})
    found = space.wait("PersistentVolumeClaim", "disk", lambda _: True)
    assert found["spec"]["accessModes"] == ["ReadWriteMany"]


def test_the_gate_adopts_and_the_annotation_has_the_last_word(space: Namespace, configure: Configure) -> None:
    configure({"featureGates": ["HonorWaitForFirstConsumer", "DataVolumeClaimAdoption"]})
    for name in ("taken", "left"):
        found = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name}}
        space.create({**found, "spec": claim("64Mi", "shared")})
    source = http("http://no-such-host.invalid/disk.img")
    space.create(datavolume("taken", source, pvc=claim("64Mi", "shared")))
    space.wait_phase("taken", "Succeeded")
    said = {"cdi.kubevirt.io/allowClaimAdoption": "false"}
    with pytest.raises(Refused, match="already exists"):
        space.create(datavolume("left", source, annotations=said, pvc=claim("64Mi", "shared")))
