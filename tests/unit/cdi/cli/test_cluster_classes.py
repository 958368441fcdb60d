"""``cdi storage``: rows from classes and profiles."""

from __future__ import annotations

import msgspec
import pytest

from cdi.api.storageprofile import StorageProfile
from cdi.cli.cluster_classes import rows
from cdi.cli.storage import listing
from cdi.kube.storage import StorageClass

DEFAULT = {"storageclass.kubernetes.io/is-default-class": "true"}


def storage_class(name: str, provisioner: str = "csi.test", **annotations: str) -> StorageClass:
    metadata = {"name": name, "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "provisioner": provisioner}, StorageClass)


def profile(name: str, *modes: str) -> StorageProfile:
    sets = [{"accessModes": [mode], "volumeMode": "Block"} for mode in modes]
    status = {"storageClass": name, "provisioner": "csi.test", "claimPropertySets": sets, "cloneStrategy": "copy"}
    return msgspec.convert({"metadata": {"name": name}, "status": status}, StorageProfile)


def test_a_class_is_told_with_what_it_can_do() -> None:
    found = rows([storage_class("fast", **DEFAULT)], [profile("fast", "ReadWriteMany")], assumes=True)
    (row,) = found
    assert (row.name, row.is_default, row.modes, row.clone, row.problems) == ("fast", True, ("RWX/Block",), "copy", ())
    assert "fast (default)" in listing(found)


@pytest.mark.parametrize(
    ("assumes", "said"), [(True, "RWO/Filesystem is assumed"), (False, "a DataVolume has to say accessModes")]
)
def test_a_class_that_nobody_knows_says_what_follows(assumes: bool, said: str) -> None:
    (row,) = rows([storage_class("odd")], [profile("odd")], assumes=assumes)
    assert said in row.problems[0]
    assert "No class is the default" in listing([row])


def test_a_class_without_a_profile_points_at_the_controller() -> None:
    (row,) = rows([storage_class("odd")], [], assumes=True)
    assert "is the controller running?" in row.problems[0]
