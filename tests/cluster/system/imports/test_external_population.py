"""DataVolumes whose claim somebody else fills."""

from __future__ import annotations

from support.corpus import Corpus
from support.kinds import Namespace, Object
from support.manifests import V1BETA1, datavolume, http, storage
from support.nginx import Nginx
from support.volumes import read_volume, run_beside


def _externally(name: str, **spec: Object) -> Object:
    return {"apiVersion": V1BETA1, "kind": "DataVolume", "metadata": {"name": name}, "spec": spec}


def test_a_claim_that_the_driver_clones(space: Namespace) -> None:
    space.create(datavolume("golden", {"blank": {}}, storage=storage("64Mi", "csi")))
    space.wait_phase("golden", "Succeeded")
    run_beside(space, "golden", "echo golden > /volume/note; sync")
    reference = {"kind": "PersistentVolumeClaim", "name": "golden"}
    size = space.get("PersistentVolumeClaim", "golden")["spec"]["resources"]["requests"]["storage"]
    space.create(_externally("copy", storage=storage(size, "csi", dataSource=reference)))
    space.wait_phase("copy", "Succeeded")
    text = space.wait_event("copy", "ExternalPopulationSucceeded")
    assert text == "PVC copy successfully populated by golden"
    assert run_beside(space, "copy", "cat /volume/note") == "golden\n"


def test_a_class_without_a_driver_says_so(space: Namespace) -> None:
    space.create(datavolume("golden", {"blank": {}}, storage=storage("64Mi", "shared")))
    space.wait_phase("golden", "Succeeded")
    reference = {"kind": "PersistentVolumeClaim", "name": "golden"}
    space.create(_externally("copy", storage=storage("64Mi", "shared", dataSource=reference)))
    text = space.wait_event("copy", "NoCSIDriverForExternalPopulation")
    assert "No CSI drivers were found" in text


def test_a_snapshot_that_the_driver_restores(space: Namespace) -> None:
    space.create(datavolume("golden", {"blank": {}}, storage=storage("64Mi", "csi")))
    space.wait_phase("golden", "Succeeded")
    run_beside(space, "golden", "echo golden > /volume/note; sync")
    body = {"apiVersion": "snapshot.storage.k8s.io/v1", "kind": "VolumeSnapshot", "metadata": {"name": "frozen"}}
    spec = {"volumeSnapshotClassName": "csi", "source": {"persistentVolumeClaimName": "golden"}}
    space.create({**body, "spec": spec})
    frozen = space.wait("VolumeSnapshot", "frozen", lambda found: found.get("status", {}).get("readyToUse") is True)
    reference = {"apiGroup": "snapshot.storage.k8s.io", "kind": "VolumeSnapshot", "name": "frozen"}
    space.create(_externally("copy", storage=storage(frozen["status"]["restoreSize"], "csi", dataSource=reference)))
    space.wait_phase("copy", "Succeeded")
    text = space.wait_event("copy", "ExternalPopulationSucceeded")
    assert text == "PVC copy successfully populated by frozen"
    assert run_beside(space, "copy", "cat /volume/note") == "golden\n"


def test_another_populator_fills_the_claim(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    """The one that a test always has: to a DataVolume that only refers to it, ours is as strange as any."""
    metadata = {"name": "image"}
    spec = {"source": http(web.url("disk.qcow2"))}
    space.create({"apiVersion": V1BETA1, "kind": "VolumeImportSource", "metadata": metadata, "spec": spec})
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "image"}
    space.create(_externally("disk", storage=storage("128Mi", "csi", dataSourceRef=reference)))
    done = space.wait_phase("disk", "Succeeded")
    assert done["status"]["progress"] == "N/A"
    assert space.wait_event("disk", "ExternalPopulationSucceeded") == "PVC disk successfully populated by image"
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum
