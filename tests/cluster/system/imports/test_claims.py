"""Volumes without a DataVolume: a claim with annotations, and a claim that names a populator's source."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.corpus import Corpus
from support.kinds import Cluster, Namespace, Object, annotations, condition
from support.manifests import IMMEDIATE, V1BETA1, claim, datavolume, storage_class
from support.nginx import Nginx
from support.volumes import read_volume, run_beside

ENDPOINT = "cdi.kubevirt.io/storage.import.endpoint"
PHASE = "cdi.kubevirt.io/storage.pod.phase"


def _claim(name: str, spec: Object, notes: dict[str, str] | None = None) -> Object:
    metadata = {"name": name, "annotations": notes or {}}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "spec": spec}


def test_an_annotated_claim_is_imported(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    space.create(_claim("plain", claim("128Mi", "shared"), {ENDPOINT: web.url("disk.qcow2")}))
    space.wait("PersistentVolumeClaim", "plain", lambda found: annotations(found).get(PHASE) == "Succeeded")
    content = read_volume(space, "plain", corpus.size)
    assert (content.sum, content.mode, content.group) == (corpus.sum, "660", 107)


def test_source_none_makes_an_empty_disk(space: Namespace) -> None:
    notes = {"cdi.kubevirt.io/storage.import.source": "none"}
    space.create(_claim("plain", claim("64Mi", "shared"), notes))
    space.wait("PersistentVolumeClaim", "plain", lambda found: annotations(found).get(PHASE) == "Succeeded")
    content = read_volume(space, "plain", 0)
    assert (content.rest_is_zero, content.mode, content.group) == (True, "660", 107)


@pytest.mark.parametrize("mode", ["Filesystem", "Block"])
def test_a_claim_that_names_an_import_source_is_populated(
    space: Namespace, web: Nginx, corpus: Corpus, mode: str
) -> None:
    source = {"metadata": {"name": "image"}, "spec": {"source": {"http": {"url": web.url("disk.qcow2")}}}}
    space.create({"apiVersion": V1BETA1, "kind": "VolumeImportSource", **source})
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": "image"}
    spec = claim("128Mi", "csi", volumeMode=mode, dataSourceRef=reference)
    space.create(_claim("populated", spec))

    bound = space.wait("PersistentVolumeClaim", "populated", lambda found: found["status"].get("phase") == "Bound")
    prime = f"prime-{bound['metadata']['uid']}"
    space.wait_gone("PersistentVolumeClaim", prime)
    space.wait(
        "PersistentVolumeClaim",
        "populated",
        lambda found: annotations(found).get("cdi.kubevirt.io/storage.populator.progress") == "100.0%",
    )
    space.wait_event("populated", "importSucceeded")
    content = read_volume(space, "populated", corpus.size, block=mode == "Block")
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


def _names(source: str) -> Object:
    return {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeImportSource", "name": source}


def _import_source(space: Namespace, url: str, **spec: str) -> None:
    body = {"metadata": {"name": "image"}, "spec": {"source": {"http": {"url": url}}, **spec}}
    space.create({"apiVersion": V1BETA1, "kind": "VolumeImportSource", **body})


def test_an_archive_is_unpacked_into_a_populated_claim(space: Namespace, web: Nginx) -> None:
    _import_source(space, web.url("tree.tar"), contentType="archive")
    space.create(_claim("tree", claim("64Mi", "csi", dataSourceRef=_names("image"))))
    space.wait_event("tree", "importSucceeded", timeout_s=60)
    assert run_beside(space, "tree", "cat /volume/hello.txt /volume/sub/deep.txt") == "hello\ndeep\n"


def test_a_populated_claim_may_be_bound_at_once(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    _import_source(space, web.url("disk.qcow2"))
    spec = claim("128Mi", "csi-wffc", dataSourceRef=_names("image"))
    space.create(_claim("disk", spec, IMMEDIATE))
    space.wait_event("disk", "importSucceeded", timeout_s=60)
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_an_import_ends_well_though_its_source_object_goes(space: Namespace, web: Nginx, corpus: Corpus) -> None:
    _import_source(space, web.url("disk.raw", "slow"))
    space.create(_claim("disk", claim("128Mi", "csi", dataSourceRef=_names("image"))))
    space.wait(
        "PersistentVolumeClaim",
        "disk",
        lambda found: annotations(found).get("cdi.kubevirt.io/storage.condition.running") == "true",
    )
    space.delete("VolumeImportSource", "image")
    space.wait_event("disk", "importSucceeded", timeout_s=120)
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_a_claim_that_is_bound_already_keeps_its_content(space: Namespace, kinds: Cluster, web: Nginx) -> None:
    """To a volume that somebody has prepared: there is nothing to populate."""
    _import_source(space, web.url("disk.qcow2"))
    space.create(_claim("maker", claim("64Mi", "csi")))
    made = space.wait("PersistentVolumeClaim", "maker", lambda found: found["status"].get("phase") == "Bound")
    run_beside(space, "maker", "echo prepared > /volume/note; sync")
    volume = made["spec"]["volumeName"]
    kinds.patch("PersistentVolume", volume, {"spec": {"persistentVolumeReclaimPolicy": "Retain"}})
    space.delete("PersistentVolumeClaim", "maker")
    space.wait_gone("PersistentVolumeClaim", "maker")
    kinds.patch("PersistentVolume", volume, {"spec": {"claimRef": None}})
    try:
        spec = claim("64Mi", "csi", volumeName=volume, dataSourceRef=_names("image"))
        space.create(_claim("disk", spec))
        space.wait("PersistentVolumeClaim", "disk", lambda found: found["status"].get("phase") == "Bound")
        assert run_beside(space, "disk", "cat /volume/note") == "prepared\n"
    finally:
        kinds.patch("PersistentVolume", volume, {"spec": {"persistentVolumeReclaimPolicy": "Delete"}})


@pytest.fixture
def unserved_class(kinds: Cluster, space: Namespace) -> Iterator[str]:
    name = f"class-{space.name}"
    kinds.create(storage_class(name, "nobody.example.org"))
    yield name
    kinds.delete("StorageClass", name)


def test_what_a_provisioner_says_of_the_worker_s_claim_is_told_where_people_look(
    space: Namespace, web: Nginx, unserved_class: str
) -> None:
    """The worker's claim waits, and it is not the one that the user knows."""
    use = {"cdi.kubevirt.io/storage.usePopulator": "true"}
    source = {"http": {"url": web.url("disk.qcow2")}}
    space.create(datavolume("disk", source, annotations=use, pvc=claim("64Mi", unserved_class)))
    held = space.wait(
        "DataVolume", "disk", lambda dv: "Waiting for a volume" in condition(dv, "Bound").get("message", "")
    )
    assert condition(held, "Bound")["status"] == "False"
    space.wait_event("disk", "ExternalProvisioning")


@pytest.mark.parametrize("storage_class", ["shared", "csi"])
def test_the_claim_says_why_its_import_fails(space: Namespace, web: Nginx, storage_class: str) -> None:
    source = {"http": {"url": web.url("missing.img")}}
    space.create(datavolume("disk", source, pvc=claim("64Mi", storage_class)))
    assert "expected status code 200, got 404" in space.wait_event("disk", "ErrImportFailed")


def test_a_claim_of_nobody_is_left_alone(space: Namespace) -> None:
    space.create(_claim("bare", claim("64Mi", "shared")))
    space.wait("PersistentVolumeClaim", "bare", lambda found: found["status"].get("phase") == "Bound")
    assert space.list("Pod") == []
    assert annotations(space.get("PersistentVolumeClaim", "bare")).get(PHASE) is None
