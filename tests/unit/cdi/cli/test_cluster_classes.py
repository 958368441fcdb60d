"""Storage classes as ``cdi storage`` shows them."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from cdi.api.storageprofile import StorageProfile
from cdi.cli import storage
from cdi.cli.class_row import ClassRow
from cdi.cli.cluster_classes import rows
from cdi.controllers.cluster import DEFAULT_CLAIM_PROPERTIES, Cluster
from cdi.kube.objects import Metadata
from cdi.kube.storage import StorageClass

ASSUMES = Cluster(gates=frozenset({DEFAULT_CLAIM_PROPERTIES}))
RWX_BLOCK = {"accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
RWO_FILE = {"accessModes": ["ReadWriteOnce", "ReadOnlyMany"], "volumeMode": "Filesystem"}
DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}
VIRT = {"storageclass.kubevirt.io/is-default-virt-class": "true"}


def a_class(name: str, annotations: dict[str, str] | None = None, **more: Any) -> StorageClass:
    found = {"metadata": {"name": name, "annotations": annotations or {}}, "provisioner": "csi.test", **more}
    return msgspec.convert(found, StorageClass)


def a_profile(name: str, *sets: dict[str, Any], said: bool = False, **status: Any) -> StorageProfile:
    recognized = {"type": "Recognized", "status": "True"}
    known = {"provisioner": "csi.test", "claimPropertySets": list(sets), "conditions": [recognized]} | status
    spec = {"claimPropertySets": list(sets)} if said else {}
    return msgspec.convert({"metadata": {"name": name}, "spec": spec, "status": known}, StorageProfile)


def row(profile: StorageProfile | None, cluster: Cluster = ASSUMES) -> ClassRow:
    (found,) = rows([a_class("fast")], [] if profile is None else [profile], cluster)
    return found


def test_classes_come_by_name_with_what_their_profiles_say() -> None:
    classes = [a_class("slow", volumeBindingMode="WaitForFirstConsumer"), a_class("fast", DEFAULT)]
    profiles = [a_profile("slow", RWO_FILE), a_profile("fast", RWX_BLOCK, RWO_FILE, cloneStrategy="snapshot")]
    fast, slow = rows(classes, profiles, ASSUMES)
    assert fast == ClassRow(
        "fast",
        "csi.test",
        True,
        "Immediate",
        ("RWX/Block", "RWO,ROX/Filesystem"),
        "snapshot",
        "",
        "known provisioner",
        is_archive_default=True,
    )
    assert (slow.name, slow.binding, slow.is_default) == ("slow", "WaitForFirstConsumer", False)


def test_the_default_of_virtualization_is_that_of_disks_only() -> None:
    found = rows([a_class("a", DEFAULT), a_class("b", VIRT), a_class("c")], [], ASSUMES)
    assert [(item.is_default, item.is_archive_default) for item in found] == [
        (False, True),
        (True, False),
        (False, False),
    ]


def test_profiles_stand_for_classes_that_may_not_be_read() -> None:
    (found,) = rows(None, [a_profile("fast", RWX_BLOCK)], ASSUMES)
    assert (found.name, found.provisioner, found.modes) == ("fast", "csi.test", ("RWX/Block",))
    assert (found.binding, found.is_default, found.is_archive_default) == ("", False, False)
    assert storage.listing([found]).splitlines()[-1].startswith("You may not read StorageClasses")


def test_what_says_so_where_no_provisioner_is_known() -> None:
    local = StorageClass(metadata=Metadata(name="fast"), provisioner="kubernetes.io/no-provisioner")
    silent, told = a_profile("fast", conditions=[]), a_profile("fast", RWO_FILE, conditions=[])
    assert rows([local], [told], ASSUMES)[0].origin == "existing volumes"
    (problem,) = rows([local], [silent], ASSUMES)[0].problems
    assert problem == "fast: no PersistentVolume of this class says what it can do; a DataVolume waits for one"
    assert row(told).origin == "kubevirt-storage-class-defaults"


def test_what_a_person_said_is_told_from_what_is_known() -> None:
    assert row(a_profile("fast", RWX_BLOCK, said=True)).origin == "StorageProfile.spec"
    assert row(a_profile("fast", RWX_BLOCK)).origin == "known provisioner"
    assert row(a_profile("fast")).origin == "unknown"


def test_an_unknown_provisioner_is_assumed_only_where_the_gate_says_so() -> None:
    (assumed,) = row(a_profile("fast")).problems
    assert "RWO/Filesystem is assumed" in assumed
    (open_,) = row(a_profile("fast"), Cluster()).problems
    assert "assumed" not in open_
    assert "a DataVolume has to state accessModes" in open_
    assert all("kubectl edit storageprofile fast" in problem for problem in (assumed, open_))


def test_a_known_class_has_no_problem_with_or_without_the_gate() -> None:
    assert [row(a_profile("fast", RWX_BLOCK), cluster).problems for cluster in (ASSUMES, Cluster())] == [(), ()]


def test_a_missing_profile_and_a_silent_one_are_the_controllers() -> None:
    for profile in (None, a_profile("fast", provisioner="")):
        (problem,) = row(profile).problems
        assert "is the controller running?" in problem
        assert "not known" not in problem


def test_the_listing_has_a_row_for_each_and_their_problems_below() -> None:
    lines = storage.listing([row(a_profile("fast"))]).splitlines()
    assert lines[1].split() == ["fast", "csi.test", "Immediate", "?", "unknown"]
    assert lines[2].startswith("fast: provisioner csi.test is not known")
    assert lines[3] == "No class is the default: every DataVolume has to name one."


def test_the_json_says_the_same() -> None:
    (item,) = json.loads(storage.as_json([row(a_profile("fast", RWX_BLOCK))]))["items"]
    assert item == {
        "name": "fast",
        "provisioner": "csi.test",
        "isDefault": False,
        "isArchiveDefault": False,
        "binding": "Immediate",
        "modes": ["RWX/Block"],
        "cloneStrategy": "",
        "snapshotClass": "",
        "saidBy": "known provisioner",
        "problems": [],
    }
