"""What happens when the claim is there before the DataVolume, or the volume before the claim."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.kinds import Cluster, Namespace, Object, Refused, annotations
from support.manifests import claim, datavolume, http, storage
from support.nginx import Nginx
from support.volumes import run_beside

SOURCE = http("http://no-such-host.invalid/disk.img")
ADOPT = {"cdi.kubevirt.io/allowClaimAdoption": "true"}


def _claim(name: str, notes: dict[str, str] | None = None, spec: Object | None = None) -> Object:
    metadata = {"name": name, "annotations": notes or {}}
    spec = spec or claim("64Mi", "shared")
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def test_a_claim_of_somebody_else_refuses_the_datavolume(space: Namespace) -> None:
    space.create(_claim("disk"))
    with pytest.raises(Refused, match="already exists"):
        space.create(datavolume("disk", SOURCE, pvc=claim("64Mi", "shared")))


def test_an_orphan_is_adopted_when_asked_and_nothing_is_imported_over_it(space: Namespace, web: Nginx) -> None:
    space.create(_claim("disk"))
    space.wait("PersistentVolumeClaim", "disk", lambda found: found["status"].get("phase") == "Bound")
    run_beside(space, "disk", "echo mine > /volume/disk.img")
    source = http(web.url("disk.qcow2"))  # one that could be imported
    created = space.create(datavolume("disk", source, annotations=ADOPT, pvc=claim("64Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    space.patch("DataVolume", "disk", {"metadata": {"annotations": {"cdi.kubevirt.io/allowClaimAdoption": None}}})

    space.create(datavolume("another", source, pvc=claim("64Mi", "shared")))
    space.wait_phase("another", "Succeeded")  # in the time of which the first one would have been imported as well
    found = space.get("PersistentVolumeClaim", "disk")
    owner = found["metadata"]["ownerReferences"][0]
    assert (owner["kind"], owner["uid"]) == ("DataVolume", created["metadata"]["uid"])
    assert not [key for key in annotations(found) if key.startswith("cdi.kubevirt.io/storage.import.")]
    assert run_beside(space, "disk", "cat /volume/disk.img") == "mine\n"
    assert space.get("DataVolume", "disk")["status"]["phase"] == "Succeeded"


def _owned(space: Namespace, owner: Object, *, controller: bool) -> Object:
    """A claim ``disk`` of ``owner``; the reference to it."""
    reference = {key: owner[key] for key in ("apiVersion", "kind")} | {"controller": controller}
    reference |= {key: owner["metadata"][key] for key in ("name", "uid")} | {"blockOwnerDeletion": True}
    found = _claim("disk")
    found["metadata"]["ownerReferences"] = [reference]
    space.create(found)
    return reference


def test_an_adopted_claim_keeps_who_owned_it_before(space: Namespace) -> None:
    made = space.create({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "owner"}})
    owner = _owned(space, made, controller=False)
    space.create(datavolume("disk", SOURCE, annotations=ADOPT, pvc=claim("64Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    owners = space.get("PersistentVolumeClaim", "disk")["metadata"]["ownerReferences"]
    assert [found["kind"] for found in owners] == ["ConfigMap", "DataVolume"]
    assert {key: owners[0].get(key, False) for key in owner} == owner


def test_a_claim_of_another_datavolume_is_left_to_it(space: Namespace) -> None:
    made = space.create(datavolume("owner", {"blank": {}}, pvc=claim("64Mi", "shared")))
    owner = _owned(space, made, controller=True)
    space.create(datavolume("disk", SOURCE, annotations=ADOPT, pvc=claim("64Mi", "shared")))
    space.wait_event("disk", "ErrResourceExists")
    space.wait_phase("disk", "Pending")
    assert space.get("PersistentVolumeClaim", "disk")["metadata"]["ownerReferences"] == [owner]


def test_a_populated_claim_is_taken_as_it_is(space: Namespace) -> None:
    notes = {"cdi.kubevirt.io/storage.populatedFor": "disk"}
    space.create(_claim("disk", notes))
    space.wait("PersistentVolumeClaim", "disk", lambda found: found["status"].get("phase") == "Bound")
    run_beside(space, "disk", "echo restored > /volume/note")
    space.create(datavolume("disk", SOURCE, pvc=claim("64Mi", "shared")))
    done = space.wait_phase("disk", "Succeeded")
    assert done["status"]["progress"] == "N/A"
    assert annotations(space.get("DataVolume", "disk"))["cdi.kubevirt.io/storage.prePopulated"] == "disk"
    assert run_beside(space, "disk", "cat /volume/note") == "restored\n"


def test_a_prepopulated_datavolume_waits_for_its_claim(space: Namespace) -> None:
    notes = {"cdi.kubevirt.io/storage.prePopulated": "disk"}
    space.create(datavolume("disk", SOURCE, annotations=notes, pvc=claim("64Mi", "shared")))
    space.wait_phase("disk", "Pending")
    assert space.find("PersistentVolumeClaim", "disk") is None
    space.create(_claim("disk", {"cdi.kubevirt.io/storage.populatedFor": "disk"}))
    space.wait_phase("disk", "Succeeded")


@pytest.fixture
def static_volume(kinds: Cluster, space: Namespace) -> Iterator[str]:
    """A volume that waits for the claim ``disk`` of this namespace; made out of a claim's own volume."""
    space.create(_claim("maker"))
    bound = space.wait("PersistentVolumeClaim", "maker", lambda found: found["status"].get("phase") == "Bound")
    run_beside(space, "maker", "echo prepared > /volume/note")
    volume = kinds.get("PersistentVolume", bound["spec"]["volumeName"])
    name = f"static-{space.name}"
    spec = {key: value for key, value in volume["spec"].items() if key != "claimRef"}
    spec |= {
        "persistentVolumeReclaimPolicy": "Retain",
        "claimRef": {"namespace": space.name, "name": "disk"},
    }
    kinds.create({"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": name}, "spec": spec})
    yield name
    kinds.delete("PersistentVolume", name)


def test_a_static_volume_is_bound_with_its_content(space: Namespace, static_volume: str) -> None:
    notes = {"cdi.kubevirt.io/storage.checkStaticVolume": ""}
    space.create(datavolume("disk", SOURCE, annotations=notes, pvc=claim("64Mi", "shared")))
    space.wait_phase("disk", "Succeeded")
    assert space.get("PersistentVolumeClaim", "disk")["spec"]["volumeName"] == static_volume
    assert run_beside(space, "disk", "cat /volume/note") == "prepared\n"


def test_adoption_is_asked_for_and_there_is_nothing_to_adopt(space: Namespace, web: Nginx) -> None:
    notes = {"cdi.kubevirt.io/allowClaimAdoption": "true"}
    space.create(datavolume("disk", http(web.url("disk.qcow2")), annotations=notes, storage=storage("64Mi", "csi")))
    space.wait_phase("disk", "Succeeded")
    space.wait_event("disk", "ImportSucceeded")


def test_five_rounds_of_create_and_delete(space: Namespace, web: Nginx) -> None:
    for _ in range(5):
        space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "csi")))
        space.wait_phase("disk", "Succeeded")
        space.delete("DataVolume", "disk")
        space.wait_gone("DataVolume", "disk")


def test_a_deleted_claim_is_made_and_filled_again(space: Namespace, web: Nginx) -> None:
    space.create(datavolume("disk", http(web.url("disk.qcow2")), storage=storage("64Mi", "csi")))
    space.wait_phase("disk", "Succeeded")
    first = space.get("PersistentVolumeClaim", "disk")["metadata"]["uid"]
    space.delete("PersistentVolumeClaim", "disk")
    second = space.wait(
        "PersistentVolumeClaim",
        "disk",
        lambda found: found["metadata"]["uid"] != first and found["status"].get("phase") == "Bound",
    )
    assert second["metadata"]["uid"] != first
    space.wait_phase("disk", "Succeeded")
