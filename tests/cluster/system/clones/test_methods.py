"""Clones of a real volume: by which method, with which reason, the same bytes, and nothing left."""

from __future__ import annotations

from typing import Any

import pytest
from support.corpus import Corpus
from support.kinds import Namespace, Object, annotations, condition
from support.manifests import IMMEDIATE, datavolume, http, storage
from support.nginx import Nginx
from support.volumes import looking_pod, read_volume

TYPE = "cdi.kubevirt.io/cloneType"
SIZE = "128Mi"


def source(space: Namespace, web: Nginx, class_name: str, mode: str = "Filesystem") -> None:
    """An imported disk, ``golden``."""
    space.create(
        datavolume(
            "golden",
            http(web.url("disk.qcow2")),
            annotations=IMMEDIATE,
            storage=storage(SIZE, class_name, volumeMode=mode, accessModes=["ReadWriteOnce"]),
        )
    )
    space.wait_phase("golden", "Succeeded")


def clone(space: Namespace, name: str, class_name: str, size: str = SIZE, **options: Any) -> Object:
    """``options``: mode, notes (annotations), origin (the DataVolume's source)."""
    origin = options.get("origin") or {"pvc": {"namespace": space.name, "name": "golden"}}
    target = storage(size, class_name, volumeMode=options.get("mode", "Filesystem"), accessModes=["ReadWriteOnce"])
    return space.create(datavolume(name, origin, annotations=IMMEDIATE | options.get("notes", {}), storage=target))


def check(space: Namespace, name: str, corpus: Corpus, *, block: bool = False) -> None:
    content = read_volume(space, name, corpus.size, block=block)
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


def nothing_is_left(space: Namespace, name: str) -> None:
    uid = space.get("PersistentVolumeClaim", name)["metadata"]["uid"]
    labels = f"cdi.kubevirt.io/OwnedByUID={uid}"
    space.wait(
        "PersistentVolumeClaim",
        name,
        lambda found: not [item for item in found["metadata"]["finalizers"] if "cdi.kubevirt.io" in item],
    )
    for kind in ("PersistentVolumeClaim", "Pod", "VolumeSnapshot"):
        assert space.list(kind, labels) == [], kind
    volume = space.get("DataVolume", name)["metadata"]
    space.wait_gone("VolumeCloneSource", f"volume-clone-source-{volume['uid']}")


@pytest.mark.parametrize(
    ("method", "size", "mode"),
    [
        ("csi-clone", SIZE, "Filesystem"),
        ("csi-clone", "256Mi", "Filesystem"),
        ("snapshot", SIZE, "Filesystem"),
        ("snapshot", "256Mi", "Filesystem"),
        ("copy", SIZE, "Filesystem"),
        ("copy", "256Mi", "Block"),
    ],
)
def test_each_method_gives_the_same_bytes_and_says_why(
    space: Namespace, web: Nginx, corpus: Corpus, method: str, size: str, mode: str
) -> None:
    source(space, web, "csi")
    clone(space, "disk", "csi", size, mode=mode, notes={TYPE: method})
    done = space.wait_phase("disk", "Succeeded", 120)
    assert done["status"]["clone"]["method"] == method
    assert done["status"]["progress"] == "100.0%"
    space.wait("DataVolume", "disk", lambda found: condition(found, "Running").get("message") == "Clone Complete")
    nothing_is_left(space, "disk")
    check(space, "disk", corpus, block=mode == "Block")


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
def test_a_device_is_cloned_without_anybodys_wish_by_a_snapshot_or_to_a_file_by_a_pod(
    space: Namespace, web: Nginx, corpus: Corpus, mode: str
) -> None:
    source(space, web, "csi", "Block")
    clone(space, "disk", "csi", "256Mi", mode=mode)
    done = space.wait_phase("disk", "Succeeded", 120)
    assert done["status"]["clone"]["method"] == ("snapshot" if mode == "Block" else "copy")
    nothing_is_left(space, "disk")
    check(space, "disk", corpus, block=mode == "Block")


@pytest.mark.parametrize(("origin", "target"), [("shared", "shared"), ("csi", "shared"), ("shared", "csi")])
def test_between_classes_a_pod_or_two_copy(
    space: Namespace, web: Nginx, corpus: Corpus, origin: str, target: str
) -> None:
    source(space, web, origin)
    clone(space, "disk", target, "256Mi")
    space.wait_phase("disk", "Succeeded", 120)
    noted = annotations(space.get("PersistentVolumeClaim", "disk"))
    assert noted[TYPE] == "copy"
    assert noted["cdi.kubevirt.io/cloneFallbackReason"]
    nothing_is_left(space, "disk")
    check(space, "disk", corpus)


def test_a_source_that_is_written_to_is_waited_for_and_named(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    source(space, web, "csi")
    space.create(looking_pod("writer", "golden", "sleep 3600"))
    space.wait("Pod", "writer", lambda found: found["status"]["phase"] == "Running")
    clone(space, "disk", "csi", notes={TYPE: "copy"})
    text = space.wait_event("disk", "CloneSourceInUse")
    assert f"pod {space.name}/writer using PersistentVolumeClaim golden" in text
    space.delete("Pod", "writer", force=True)
    space.wait_phase("disk", "Succeeded", 120)
    check(space, "disk", corpus)


def test_a_source_that_comes_later_is_cloned_then(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    clone(space, "disk", "csi")
    space.wait("DataVolume", "disk", lambda found: condition(found, "Bound").get("reason") == "CloneWithoutSource")
    source(space, web, "csi")
    space.wait_phase("disk", "Succeeded", 120)
    check(space, "disk", corpus)


def test_a_target_that_is_too_small_is_refused_with_both_sizes(space: Namespace, web: Nginx) -> None:
    source(space, web, "csi")
    clone(space, "disk", "csi", "64Mi")
    text = space.wait_event("disk", "CloneValidationFailed")
    assert "target resources requests storage size is smaller than the source" in text


def test_a_clone_that_is_deleted_half_way_leaves_nothing(space: Namespace, web: Nginx) -> None:
    source(space, web, "shared")
    clone(space, "disk", "shared")
    found = space.wait("PersistentVolumeClaim", "disk", lambda item: "uploadClientName" in str(annotations(item)))
    space.delete("DataVolume", "disk")
    space.wait_gone("PersistentVolumeClaim", "disk")
    space.wait_gone("Pod", f"{found['metadata']['uid']}-source-pod")
    space.wait_gone("Pod", "cdi-upload-disk")


def test_a_killed_reader_goes_on_and_the_bytes_are_the_same(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    source(space, web, "shared")
    clone(space, "disk", "shared")
    claim = space.wait("PersistentVolumeClaim", "disk", lambda item: "uploadClientName" in str(annotations(item)))
    reader = f"{claim['metadata']['uid']}-source-pod"
    space.wait("Pod", reader, bool)
    space.delete("Pod", reader, force=True)
    space.wait_phase("disk", "Succeeded", 120)
    nothing_is_left(space, "disk")
    check(space, "disk", corpus)
