"""Volumes that begin empty."""

from __future__ import annotations

import hashlib

import pytest
from support.kinds import Namespace
from support.manifests import claim, datavolume, storage
from support.volumes import read_volume

MiB = 1024 * 1024
ZEROS = hashlib.sha256(b"").hexdigest()


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_a_blank_disk_is_sparse_and_belongs_to_the_guest(space: Namespace, class_name: str) -> None:
    space.create(datavolume("disk", {"blank": {}}, pvc=claim("128Mi", class_name)))
    space.wait_phase("disk", "Succeeded")
    content = read_volume(space, "disk", 0)
    assert (content.sum, content.rest_is_zero) == (ZEROS, True)
    assert (content.mode, content.group) == ("660", 107)
    assert content.allocated <= MiB


def test_a_blank_device_is_zero_everywhere(space: Namespace) -> None:
    space.create(datavolume("disk", {"blank": {}}, storage=storage("32Mi", "csi", volumeMode="Block")))
    space.wait_phase("disk", "Succeeded")
    content = read_volume(space, "disk", 0, block=True)
    assert content.rest_is_zero
    assert content.size >= 32 * MiB


def test_a_preallocated_disk_takes_its_space(space: Namespace) -> None:
    manifest = datavolume("disk", {"blank": {}}, preallocation=True, pvc=claim("64Mi", "shared"))
    space.create(manifest)
    space.wait_phase("disk", "Succeeded")
    content = read_volume(space, "disk", 0)
    assert content.allocated >= content.size


def test_four_at_once(space: Namespace) -> None:
    names = [f"disk-{number}" for number in range(4)]
    for name in names:
        space.create(datavolume(name, {"blank": {}}, storage=storage("32Mi", "csi")))
    for name in names:
        space.wait_phase(name, "Succeeded")
        assert read_volume(space, name, 0).rest_is_zero
