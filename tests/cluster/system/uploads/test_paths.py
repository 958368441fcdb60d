"""Every path of the proxy, claims that name an upload source, and names of any length."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.corpus import Corpus
from support.kinds import Namespace, annotations
from support.manifests import claim
from support.virtctl import Answer, Body, Proxy, Upload
from support.volumes import read_volume

PATHS = [
    "/v1beta1/upload",
    "/v1alpha1/upload",
    "/v1alpha1/upload-async",
    "/v1beta1/upload-form",
    "/v1beta1/upload-form-async",
]
PRIME = "cdi.kubevirt.io/storage.populator.pvcPrime"
_EDGE = "edge-of-a-part"


def sent(upload: Upload, path: str, file: Path) -> Answer:
    content = file.read_bytes()
    if "form" not in path:
        return upload.proxy.ask("POST", path, upload.token(), Body([content], len(content)))
    head = f'--{_EDGE}\r\nContent-Disposition: form-data; name="file"; filename="disk"\r\n\r\n'.encode()
    body = head + content + f"\r\n--{_EDGE}--\r\n".encode()
    kind = f"multipart/form-data; boundary={_EDGE}"
    return upload.proxy.ask("POST", path, upload.token(), Body([body], len(body), kind))


@pytest.mark.parametrize("path", PATHS)
def test_any_path_fills_the_volume_and_leaves_nothing_else(
    space: Namespace, proxy: Proxy, corpus: Corpus, path: str
) -> None:
    upload = Upload(space, proxy, "disk", "pvc")
    upload.create("128Mi", "shared")
    upload.wait_ready()
    answer = sent(upload, path, corpus.files / "disk.qcow2")
    assert (answer.status, answer.body) == (200, "")
    upload.wait_done()
    content = read_volume(space, "disk", corpus.size)
    assert (content.sum, content.mode, content.group) == (corpus.sum, "660", 107)
    assert content.allocated < corpus.size
    space.wait_gone("Pod", "cdi-upload-disk")
    space.wait_gone("Service", "cdi-upload-disk")


def test_a_claim_that_names_an_upload_source_is_populated_also_when_the_source_goes(
    space: Namespace, proxy: Proxy, corpus: Corpus
) -> None:
    source = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "VolumeUploadSource", "metadata": {"name": "mine"}}
    space.create(source | {"spec": {"contentType": "kubevirt"}})
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": "VolumeUploadSource", "name": "mine"}
    spec = claim("128Mi", "csi", dataSourceRef=reference)
    space.create({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "disk"}, "spec": spec})
    upload = Upload(space, proxy, "disk", "pvc")
    upload.wait_ready()
    prime = annotations(space.get("PersistentVolumeClaim", "disk"))[PRIME]
    space.delete("VolumeUploadSource", "mine")
    assert upload.send(corpus.files / "disk.raw.xz").status == 200
    upload.wait_done()
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum
    space.wait_gone("PersistentVolumeClaim", prime)
    space.wait_gone("Pod", f"cdi-upload-{prime}")


@pytest.mark.parametrize("name", ["x" * 160, "x" * 80 + "." + "x" * 79], ids=["long", "long with a dot"])
def test_long_names_make_valid_pods_and_services(space: Namespace, proxy: Proxy, corpus: Corpus, name: str) -> None:
    upload = Upload(space, proxy, name)
    upload.create("128Mi", "shared")
    upload.wait_ready()
    (service,) = space.list("Service", "cdi.kubevirt.io=cdi-upload-server")
    assert len(service["metadata"]["name"]) <= 63
    assert upload.send(corpus.files / "disk.qcow2").status == 200
    upload.wait_done()


def test_a_preallocated_disk_takes_its_space_and_the_pod_its_priority(
    space: Namespace, proxy: Proxy, corpus: Corpus
) -> None:
    storage = {"resources": {"requests": {"storage": "128Mi"}}, "storageClassName": "shared"}
    spec = {"source": {"upload": {}}, "storage": storage, "preallocation": True}
    spec |= {"priorityClassName": "system-cluster-critical"}
    metadata = {"name": "disk"}
    space.create({"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": metadata, "spec": spec})
    upload = Upload(space, proxy, "disk")
    upload.wait_ready()
    assert space.get("Pod", "cdi-upload-disk")["spec"]["priorityClassName"] == "system-cluster-critical"
    assert upload.send(corpus.files / "disk.qcow2").status == 200
    upload.wait_done()
    assert read_volume(space, "disk", corpus.size).allocated >= corpus.size
