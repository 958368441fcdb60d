"""Whose business a claim is."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.contract import annotations as a
from cdi.controllers.population.way import Way, way_of
from cdi.kube.storage import PersistentVolumeClaim


def claim(kind: str = "", volume: str = "", **annotations: str) -> PersistentVolumeClaim:
    reference = {"apiGroup": "cdi.kubevirt.io", "kind": kind, "name": "source"}
    spec: dict[str, Any] = {"volumeName": volume} | ({"dataSourceRef": reference} if kind else {})
    metadata = {"name": "disk", "namespace": "ns", "uid": "c1", "annotations": annotations}
    return msgspec.convert({"metadata": metadata, "spec": spec}, PersistentVolumeClaim)


@pytest.mark.parametrize(
    ("found", "way"),
    [
        (claim(), Way.NONE),
        (claim(**{a.ENDPOINT: "http://a/disk"}), Way.DIRECT),
        (claim("VolumeImportSource"), Way.POPULATOR),
        (claim("VolumeUploadSource"), Way.POPULATOR),
        (claim("VolumeCloneSource"), Way.CLONE),
        (claim("VolumeCloneSource", "pv"), Way.CLONE),
        (claim("SomethingElse"), Way.NONE),
        (claim(**{a.UPLOAD_TARGET: ""}), Way.DIRECT),
        (claim(**{a.UPLOAD_TARGET: "", a.POD_PHASE: "Succeeded"}), Way.DIRECT),
        (claim(**{a.CLONE_REQUEST: "ns/golden"}), Way.DIRECT),
        (claim(**{a.CLONE_REQUEST: "ns/golden", a.CLONE_OF: "true"}), Way.NONE),
        (claim(**{a.CLONE_REQUEST: "ns/golden", a.CLONE_OF: "false"}), Way.DIRECT),
        (claim(**{a.ENDPOINT: "http://a/disk", a.POPULATED_FOR: "disk"}), Way.NONE),
        (claim(**{a.ENDPOINT: "http://a/disk", a.POPULATED_FOR: "another"}), Way.DIRECT),
    ],
)
def test_a_claim_says_whose_it_is(found: PersistentVolumeClaim, way: Way) -> None:
    assert way_of(found) is way
