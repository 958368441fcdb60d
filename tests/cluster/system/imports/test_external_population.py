"""DataVolumes whose claim somebody else fills."""

from __future__ import annotations

from support.kinds import Namespace, Object
from support.manifests import V1BETA1, datavolume, storage
from support.volumes import run_beside


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
