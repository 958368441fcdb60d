"""The status and annotations of StorageProfiles, by example."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.storageprofile import StorageProfileSpec, StorageProfileStatus
from cdi.controllers.storageprofile.decide import Observed, annotations_of, status_of
from cdi.kube.storage import PersistentVolume, StorageClass, VolumeSnapshotClass
from storageprofiles.rendering import ClaimNotValid

NOW, LATER = "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"
CEPH = "rook-ceph.rbd.csi.ceph.com"
GKE = "pd.csi.storage.gke.io"
MINIMUM = "cdi.kubevirt.io/minimumSupportedPvcSize"
READ_WRITE_ONCE = "cdi.kubevirt.io/useReadWriteOnceForDataImportCron"
IMAGES = "cdi.kubevirt.io/snapshotClassForDataImportCron"


def storage_class(provisioner: str, parameters: dict[str, str] | None = None, **annotations: str) -> StorageClass:
    named = {f"cdi.kubevirt.io/{key.replace('_', '-')}": value for key, value in annotations.items()}
    metadata = {"name": "fast", "annotations": named}
    found = {"metadata": metadata, "provisioner": provisioner, "parameters": parameters or {}}
    return msgspec.convert(found, StorageClass)


def snapshots(name: str, driver: str = CEPH, *, default: bool = False, **parameters: str) -> VolumeSnapshotClass:
    annotations = {"snapshot.storage.kubernetes.io/is-default-class": "true"} if default else {}
    named = {key.replace("_", "-"): value for key, value in parameters.items()}
    found = {"metadata": {"name": name, "annotations": annotations}, "driver": driver, "parameters": named}
    return msgspec.convert(found, VolumeSnapshotClass)


def volume(mode: str, volume_mode: str | None = None) -> PersistentVolume:
    return msgspec.convert({"spec": {"accessModes": [mode], "volumeMode": volume_mode}}, PersistentVolume)


def seen(provisioner: str = CEPH, *classes: VolumeSnapshotClass, **more: Any) -> Observed:
    spec = msgspec.convert(more.pop("spec", {}), StorageProfileSpec)
    before = more.pop("before", StorageProfileStatus())
    found = more.pop("storage_class", None) or storage_class(provisioner)
    return Observed(found, spec, before, classes, now=NOW, **more)


def sets(status: StorageProfileStatus) -> list[tuple[list[str], str]]:
    return [(item.access_modes, item.volume_mode) for item in status.claim_property_sets]


def test_a_known_provisioner_gives_sets_in_the_order_of_preference() -> None:
    status = status_of(seen())
    assert (status.storage_class, status.provisioner) == ("fast", CEPH)
    assert sets(status) == [
        (["ReadWriteMany"], "Block"),
        (["ReadWriteOnce"], "Block"),
        (["ReadWriteOnce"], "Filesystem"),
    ]
    (condition,) = status.conditions
    assert (condition.type, condition.status, condition.reason) == ("Recognized", "True", "RecognizedProvisioner")


@pytest.mark.parametrize(
    ("provisioner", "reason", "message"),
    [
        ("nobody.knows", "UnrecognizedProvisioner", "Provisioner is not recognized"),
        ("infinibox-csi-driver", "UnrecognizedStorageClassParameters", "Storage class parameters are not recognized"),
    ],
)
def test_what_is_not_known_has_no_sets_and_says_why(provisioner: str, reason: str, message: str) -> None:
    status = status_of(seen(provisioner))
    assert sets(status) == []
    (condition,) = status.conditions
    assert (condition.status, condition.reason, condition.message) == ("False", reason, message)


def test_sets_of_the_spec_replace_all_that_is_known() -> None:
    said = {"claimPropertySets": [{"accessModes": ["ReadWriteOnce", "ReadWriteMany"], "volumeMode": "Filesystem"}]}
    assert sets(status_of(seen(spec=said))) == [(["ReadWriteOnce", "ReadWriteMany"], "Filesystem")]


@pytest.mark.parametrize("half", [{"accessModes": ["ReadWriteOnce"]}, {"accessModes": [], "volumeMode": "Block"}])
def test_half_a_set_of_the_spec_is_refused(half: dict[str, Any]) -> None:
    with pytest.raises(ClaimNotValid):
        status_of(seen(spec={"claimPropertySets": [half]}))


def test_volumes_that_exist_say_what_a_class_without_a_provisioner_can_do() -> None:
    found = (volume("ReadWriteOnce"), volume("ReadWriteOnce", "Filesystem"), volume("ReadWriteMany", "Block"))
    status = status_of(seen("kubernetes.io/no-provisioner", volumes=found))
    assert sets(status) == [(["ReadWriteOnce"], "Filesystem"), (["ReadWriteMany"], "Block")]
    assert status.conditions[0].reason == "UnrecognizedProvisioner"


def test_volumes_say_nothing_of_a_class_that_has_a_provisioner() -> None:
    assert sets(status_of(seen("nobody.knows", volumes=(volume("ReadWriteOnce"),)))) == []


def test_defaults_of_a_legacy_cluster_count_where_nothing_else_is_known() -> None:
    legacy = {"accessMode": "ReadWriteOnce", "fast.accessMode": "ReadWriteMany", "fast.volumeMode": "Block"}
    assert sets(status_of(seen("nobody.knows", defaults=legacy))) == [(["ReadWriteMany"], "Block")]
    assert sets(status_of(seen("nobody.knows", defaults={"accessMode": "ReadWriteOnce"}))) == [
        (["ReadWriteOnce"], "Filesystem")
    ]
    assert len(sets(status_of(seen(CEPH, defaults=legacy)))) == 3


def test_defaults_of_a_legacy_cluster_that_mean_nothing_are_refused() -> None:
    with pytest.raises(ClaimNotValid):
        status_of(seen("nobody.knows", defaults={"accessMode": "ReadWriteSometimes"}))


def test_the_spec_chooses_the_clone_strategy_over_the_class_and_the_class_over_the_table() -> None:
    annotated = storage_class(CEPH, clone_strategy="copy")
    assert status_of(seen(storage_class=annotated, spec={"cloneStrategy": "snapshot"})).clone_strategy == "snapshot"
    assert status_of(seen(storage_class=annotated)).clone_strategy == "copy"
    assert status_of(seen()).clone_strategy == "csi-clone"


def test_a_strategy_of_the_class_that_does_not_exist_is_none() -> None:
    assert status_of(seen(storage_class=storage_class(CEPH, clone_strategy="teleport"))).clone_strategy is None


def test_an_unknown_provisioner_clones_by_snapshot_where_it_can() -> None:
    assert status_of(seen("nobody.knows")).clone_strategy == "copy"
    assert status_of(seen("nobody.knows", snapshots("s", "nobody.knows"))).clone_strategy == "snapshot"


def test_snapshots_that_the_table_advises_need_a_class() -> None:
    assert status_of(seen(GKE)).clone_strategy == "copy"
    assert status_of(seen(GKE, snapshots("s", GKE))).clone_strategy == "snapshot"


def test_the_class_of_snapshots_is_the_default_one_of_the_driver_else_the_first_by_name() -> None:
    others = (snapshots("b"), snapshots("a"), snapshots("0", "other.driver", default=True))
    assert status_of(seen(CEPH, *others)).snapshot_class == "a"
    assert status_of(seen(CEPH, *others, snapshots("z", default=True))).snapshot_class == "z"


def test_a_class_of_snapshots_of_another_driver_is_not_used() -> None:
    said = {"snapshotClass": "theirs"}
    assert status_of(seen(CEPH, snapshots("theirs", "other.driver"), snapshots("a"), spec=said)).snapshot_class is None
    assert status_of(seen(CEPH, snapshots("theirs"), snapshots("a"), spec=said)).snapshot_class == "theirs"


def test_a_class_of_snapshots_that_went_is_still_named() -> None:
    assert status_of(seen(before=StorageProfileStatus(snapshot_class="gone"))).snapshot_class == "gone"


def test_crons_keep_snapshots_where_the_table_advises_it_and_a_class_is_there() -> None:
    assert status_of(seen()).data_import_cron_source_format == "pvc"
    assert status_of(seen(CEPH, snapshots("s"))).data_import_cron_source_format == "snapshot"
    said = {"dataImportCronSourceFormat": "pvc"}
    assert status_of(seen(CEPH, snapshots("s"), spec=said)).data_import_cron_source_format == "pvc"


def test_deciding_again_changes_nothing() -> None:
    first = status_of(seen(CEPH, snapshots("s")))
    again = Observed(storage_class(CEPH), StorageProfileSpec(), first, (snapshots("s"),), now=LATER)
    assert status_of(again) == first


def test_a_provisioner_that_becomes_known_is_a_transition() -> None:
    unknown = status_of(seen("infinibox-csi-driver"))
    known = storage_class("infinibox-csi-driver", {"storage_protocol": "nfs"})
    status = status_of(Observed(known, StorageProfileSpec(), unknown, now=LATER))
    assert (status.conditions[0].status, status.conditions[0].last_transition_time) == ("True", LATER)
    assert sets(status)[0] == (["ReadWriteMany"], "Filesystem")


def test_a_smallest_size_is_noted_unless_somebody_knows_better() -> None:
    large = seen(storage_class=storage_class("ebs.csi.aws.com", {"type": "io2"}))
    assert annotations_of(large, {}) == {MINIMUM: "4Gi"}
    assert annotations_of(large, {MINIMUM: "8Gi"}) == {}


def test_annotations_for_crons_are_for_two_provisioners_only() -> None:
    images = snapshots("images", GKE, snapshot_type="images")
    plain = snapshots("a-plain-one", GKE)
    assert annotations_of(seen(GKE, plain, images), {}) == {READ_WRITE_ONCE: "true", IMAGES: "images"}
    assert annotations_of(seen(CEPH, snapshots("s", snapshot_type="images")), {}) == {}


def test_the_class_for_images_follows_what_there_is() -> None:
    said = {READ_WRITE_ONCE: "false", IMAGES: "somebody's"}
    assert annotations_of(seen(GKE, snapshots("images", GKE, snapshot_type="images")), said) == {IMAGES: "images"}
    assert annotations_of(seen(GKE), said) == {IMAGES: None}
    assert annotations_of(seen(CEPH), {IMAGES: "left over"}) == {IMAGES: None}


def test_annotations_of_a_class_with_other_parameters_are_not_taken_back() -> None:
    small = seen(storage_class=storage_class("ebs.csi.aws.com", {"type": "st1"}))
    assert annotations_of(small, {MINIMUM: "4Gi"}) == {}
