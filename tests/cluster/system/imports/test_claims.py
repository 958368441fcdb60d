"""Volumes without a DataVolume: a claim with annotations, and a claim that names a populator's source."""

from __future__ import annotations

import pytest
from support.corpus import Corpus
from support.kinds import Namespace, Object, annotations
from support.manifests import V1BETA1, claim, datavolume
from support.nginx import Nginx
from support.volumes import read_volume

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
