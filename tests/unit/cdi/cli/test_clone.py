"""The DataVolume that ``cdi clone`` makes."""

from __future__ import annotations

from typing import Any

import pytest

from cdi.base.faults import Fault
from cdi.cli.clone import manifest
from cdi.cli.main import build_parser


def made(*words: str) -> dict[str, Any]:
    return manifest(build_parser("clone").parse_args(["clone", *words]), "here")


def test_names_without_a_namespace_are_of_the_place() -> None:
    body = made("golden", "disk")
    assert body["metadata"] == {"name": "disk", "namespace": "here"}
    assert body["spec"] == {"source": {"pvc": {"namespace": "here", "name": "golden"}}, "storage": {}}


def test_a_snapshot_a_class_and_a_size_are_said() -> None:
    spec = made("images/golden", "vms/disk", "--snapshot", "--storage-class=fast", "--size=2Gi")["spec"]
    assert spec["source"] == {"snapshot": {"namespace": "images", "name": "golden"}}
    assert spec["storage"] == {"storageClassName": "fast", "resources": {"requests": {"storage": "2Gi"}}}


def test_what_cannot_be_a_name_is_refused() -> None:
    with pytest.raises(Fault, match="NameInvalid"):
        made("a b", "disk")
