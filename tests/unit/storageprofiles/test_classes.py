"""Which class a claim gets, and the profile of a class."""

import pytest

from storageprofiles.classes import StorageClass, default_class, new_volumes_are_zeroed, profile_of
from storageprofiles.rendering import ClaimNotValid, ClaimPropertySet

KUBERNETES = "storageclass.kubernetes.io/is-default-class"
VIRT = "storageclass.kubevirt.io/is-default-virt-class"


def a_class(name: str, *marks: str, created: str = "2026-01-01T00:00:00Z", provisioner: str = "") -> StorageClass:
    return StorageClass(name, provisioner, annotations=dict.fromkeys(marks, "true"), created=created)


def test_the_virt_default_comes_first_but_not_for_archives() -> None:
    classes = [a_class("plain", KUBERNETES), a_class("virt", VIRT), a_class("other")]
    found = default_class(classes)
    assert found is not None and found.name == "virt"
    archive = default_class(classes, archive=True)
    assert archive is not None and archive.name == "plain"
    assert default_class([a_class("other")]) is None


def test_of_several_defaults_the_newest_wins_then_the_name() -> None:
    old, new = a_class("a", KUBERNETES), a_class("z", KUBERNETES, created="2026-02-01T00:00:00Z")
    assert default_class([old, new]) is new
    assert default_class([a_class("c", KUBERNETES), a_class("b", KUBERNETES)]) == a_class("b", KUBERNETES)


def test_a_written_profile_replaces_what_is_known() -> None:
    written = (ClaimPropertySet(("ReadWriteOnce",), "Block"),)
    nfs = a_class("nfs", provisioner="nfs.csi.k8s.io")
    assert profile_of(nfs).sets == (ClaimPropertySet(("ReadWriteMany",)),)
    assert profile_of(nfs, written).sets == written


def test_a_class_without_provisioner_can_do_what_its_volumes_can() -> None:
    manual = a_class("manual", provisioner="kubernetes.io/no-provisioner")
    seen = [("ReadWriteOnce", "Block"), ("ReadWriteOnce", "Block"), ("ReadWriteMany", "Filesystem")]
    assert profile_of(manual, volumes=seen).sets == (
        ClaimPropertySet(("ReadWriteOnce",), "Block"),
        ClaimPropertySet(("ReadWriteMany",), "Filesystem"),
    )


@pytest.mark.parametrize(
    "item", [ClaimPropertySet(()), ClaimPropertySet(("ReadWriteOnce",), ""), ClaimPropertySet(("ReadSometimes",))]
)
def test_incomplete_sets_are_refused(item: ClaimPropertySet) -> None:
    with pytest.raises(ClaimNotValid):
        profile_of(a_class("x"), (item,))


RBD = ("kubernetes.io/rbd", "rbd.csi.ceph.com", "rook-ceph.rbd.csi.ceph.com", "openshift-storage.rbd.csi.ceph.com")


@pytest.mark.parametrize("provisioner", RBD)
def test_new_volumes_are_zeroed_where_what_was_not_written_is_a_hole(provisioner: str) -> None:
    assert new_volumes_are_zeroed(StorageClass("ceph", provisioner))
    assert new_volumes_are_zeroed(StorageClass("ceph", provisioner, {"encrypted": "false", "thickProvision": "true"}))
    assert not new_volumes_are_zeroed(StorageClass("ceph", provisioner, {"encrypted": "true"}))


@pytest.mark.parametrize(
    "provisioner",
    ["", "csi.unknown", "topolvm.io", "linstor.csi.linbit.com", "kubernetes.io/no-provisioner", "driver.longhorn.io"],
)
def test_of_others_it_is_not_known(provisioner: str) -> None:
    assert not new_volumes_are_zeroed(StorageClass("other", provisioner))


@pytest.mark.parametrize(
    ("said", "known"), [("true", True), ("True", True), ("false", False), ("", False), ("x", False)]
)
@pytest.mark.parametrize("provisioner", ["csi.unknown", "rbd.csi.ceph.com"])
def test_an_administrators_word_counts_most(said: str, known: bool, provisioner: str) -> None:
    notes = {"cdi.kubevirt.io/new-volumes-are-zeroed": said}
    assert new_volumes_are_zeroed(StorageClass("own", provisioner, annotations=notes)) is known
