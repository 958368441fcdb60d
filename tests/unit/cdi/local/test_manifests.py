from __future__ import annotations

import pytest

from cdi.base.faults import Fault
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
