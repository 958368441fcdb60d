"""Which VolumeSnapshotClass serves a driver."""

import pytest

from storageprofiles.snapshot_classes import SnapshotClass, snapshot_class

DRIVER = "csi.example.com"
CLASSES = (SnapshotClass("b", DRIVER), SnapshotClass("z", DRIVER, is_default=True), SnapshotClass("a", "other"))


@pytest.mark.parametrize(
    ("classes", "profiled", "name", "how"),
    [
        (CLASSES, "b", "b", "VolumeSnapshotClass selected according to StorageProfile"),
        (CLASSES, "", "z", "Default VolumeSnapshotClass selected"),
        (CLASSES[:1], "", "b", "First VolumeSnapshotClass selected"),
    ],
)
def test_the_profile_counts_most_then_the_default_then_the_name(
    classes: tuple[SnapshotClass, ...], profiled: str, name: str, how: str
) -> None:
    found = snapshot_class(DRIVER, classes, profiled=profiled)
    assert found is not None
    assert (found.name, found.how) == (name, how)


def test_a_class_of_another_driver_is_none() -> None:
    assert snapshot_class(DRIVER, CLASSES, profiled="a") is None
    assert snapshot_class("unknown", CLASSES) is None
