from __future__ import annotations

import pytest

from cdi.base.faults import Fault
from cdi.local.decide import claim_of
from cdi.local.manifests import read

VOLUME = """---
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata: {name: disk}
spec: {source: {blank: {}}, storage: {resources: {requests: {storage: 1Gi}}}}
"""
SECRET = """
apiVersion: v1
kind: Secret
metadata: {name: keys}
data:
"""


def test_secrets_are_read_as_kubernetes_reads_them() -> None:
    data = "  folded: |\n    YW\n    Jj\n  binary: /////w==\n"
    found = read({"a.yaml": SECRET + data + VOLUME}).secrets["default", "keys"]
    assert (found["folded"], found["binary"].encode(errors="surrogateescape")) == ("abc", b"\xff\xff\xff\xff")


@pytest.mark.parametrize("text", ["a: !!int abc", "a: [", f"a: {'[' * 5000}", f"a: {'9' * 5000}"], ids=range(4))
def test_what_python_cannot_read_is_no_manifest(text: str) -> None:
    with pytest.raises(Fault) as caught:
        read({"a.yaml": text})
    assert caught.value.code == "ManifestInvalid"


def test_a_class_of_a_cluster_is_served_here_and_that_is_said() -> None:
    text = VOLUME.replace("storage: {res", "storage: {storageClassName: my-storage-class, res")
    found = read({"a.yaml": text})
    assert claim_of(found.volumes[0]).storage_class == "local-dir"
    (note,) = found.notes
    assert note == (
        "a.yaml, document 1, DataVolume disk: there is no storage class my-storage-class on this machine: "
        "local-dir serves it, a file in the data directory"
    )
    assert not read({"a.yaml": text.replace("my-storage-class", "local-dir")}).notes


@pytest.mark.parametrize(
    ("member", "source"),
    [
        ("name", "{name: ../../elsewhere, namespace: default}"),
        ("name", "{name: .., namespace: default}"),
        ("namespace", "{name: disk, namespace: ../outside}"),
        ("namespace", "{name: disk, namespace: /etc}"),
    ],
)
def test_the_source_of_a_clone_is_a_name_and_no_path(member: str, source: str) -> None:
    with pytest.raises(Fault) as caught:
        read({"a.yaml": VOLUME.replace("{blank: {}}", f"{{pvc: {source}}}")})
    assert caught.value.code == "ManifestInvalid"
    assert f"DataVolume disk: spec.source.pvc.{member}" in caught.value.what


def test_a_key_that_is_there_twice_is_refused_and_one_that_overrides_a_merged_one_is_not() -> None:
    with pytest.raises(Fault, match="the key 'kind' is there twice"):
        read({"a.yaml": VOLUME + "kind: Secret\n"})
    merged = "labels: &l {a: '1', b: '2'}"
    text = VOLUME.replace("{name: disk}", f"\n  name: disk\n  {merged}\n  annotations: {{<<: *l, a: '3'}}")
    assert read({"a.yaml": text}).volumes[0].metadata.annotations == {"a": "3", "b": "2"}


def test_aliases_of_aliases_end_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    with pytest.raises(Fault, match="more than 200,000 values"):
        read({"a.yaml": "\n".join(lines)})
