"""What a person reads who applies a manifest that cannot work: one answer, at once, from the API server."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from support.kinds import Namespace, Object, Refused
from support.manifests import V1ALPHA1, V1BETA1, claim, datavolume, http, storage

ROOT = Path(__file__).parents[4]
URL = "http://example.invalid/disk.img"
GOOD = claim("1Gi", "shared")


def _dv(source: Any = None, **spec: Any) -> Object:
    return datavolume("disk", source if source is not None else http(URL), **spec)


def _without_source(**spec: Any) -> Object:
    return {"apiVersion": V1BETA1, "kind": "DataVolume", "metadata": {"name": "disk"}, "spec": spec}


REFUSED: dict[str, tuple[Object, str]] = {
    "API-01 malformed URL": (_dv(http("not-a-url"), pvc=GOOD), "spec.source Invalid source URL"),
    "API-02 empty URL": (_dv(http(""), pvc=GOOD), "spec.source source URL is empty"),
    "API-03 malformed s3 URL": (_dv({"s3": {"url": "not-a-url"}}, pvc=GOOD), "spec.source Invalid source URL"),
    "API-04 empty s3 URL": (_dv({"s3": {"url": ""}}, pvc=GOOD), "spec.source source URL is empty"),
    "API-05 pvc without namespace": (_dv({"pvc": {"namespace": "", "name": "a"}}, pvc=GOOD), ""),
    "API-06 pvc without name": (_dv({"pvc": {"namespace": "a", "name": ""}}, pvc=GOOD), ""),
    "API-08 imageio without diskId": (
        _dv({"imageio": {"url": URL, "diskId": "", "secretRef": "a", "certConfigMap": "b"}}, pvc=GOOD),
        "spec.source.Imageio source Imageio is not valid",
    ),
    "API-09 vddk without uuid": (
        _dv({"vddk": {"url": URL, "backingFile": "a", "thumbprint": "b", "secretRef": "c"}}, pvc=GOOD),
        "spec.source.VDDK source VDDK is not valid",
    ),
    "API-12 sourceRef with empty kind": (_without_source(sourceRef={"kind": "", "name": "a"}, pvc=GOOD), ""),
    "API-13 sourceRef of another kind": (_without_source(sourceRef={"kind": "Pod", "name": "a"}, pvc=GOOD), "Pod"),
    "API-14 sourceRef with empty name": (_without_source(sourceRef={"kind": "DataSource", "name": ""}, pvc=GOOD), ""),
    "API-15 sourceRef to nothing": (
        _without_source(sourceRef={"kind": "DataSource", "name": "nowhere"}, pvc=GOOD),
        'datasources.cdi.kubevirt.io "nowhere" not found',
    ),
    "API-16 size zero": (_dv(pvc=claim("0")), "PVC size can't be equal or less than zero"),
    "API-17 size negative": (_dv(pvc=claim("-1Gi")), "PVC size can't be equal or less than zero"),
    "API-18 size no quantity": (
        _dv(pvc=claim("2Ng")),
        "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$",
    ),
    "API-23 blank archive": (
        _dv({"blank": {}}, contentType="archive", pvc=GOOD),
        "SourceType cannot be blank and the contentType be archive",
    ),
    "API-24 unknown contentType": (
        _dv(contentType="video", pvc=GOOD),
        'Unsupported value: "video": supported values: "kubevirt", "archive"',
    ),
    "API-25 no source": (_without_source(pvc=GOOD), "Data volume should have either Source or SourceRef"),
    "API-26 two sources": (_dv({**http(URL), "blank": {}}, pvc=GOOD), "Multiple Data volume sources"),
    "API-28 pvc source without a name": (
        _dv({"pvc": {"namespace": "default"}}, pvc=GOOD),
        "spec.source.pvc.name: Required value",
    ),
    "API-30 neither pvc nor storage": (_dv(), "Missing Data volume PVC"),
    "API-31 no accessModes": (
        _dv(pvc={"resources": {"requests": {"storage": "1Gi"}}}),
        "Required value: at least 1 access mode is required",
    ),
    "API-32 no resources": (_dv(pvc={"accessModes": ["ReadWriteOnce"]}), "PVC size is missing"),
    "API-33 no size": (
        _dv(pvc={"accessModes": ["ReadWriteOnce"], "resources": {"requests": {}}}),
        "PVC size is missing",
    ),
    "API-38 no requests": (_dv(pvc={"accessModes": ["ReadWriteOnce"], "resources": {}}), "PVC size is missing"),
    "API-39 unknown access mode": (
        _dv(pvc={**GOOD, "accessModes": ["Sometimes"]}),
        'supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce"',
    ),
    "API-40 two access modes": (
        _dv(pvc={**GOOD, "accessModes": ["ReadWriteOnce", "ReadWriteMany"]}),
        "PVC multiple accessModes",
    ),
    "API-42 http without url": (_dv({"http": {}}, pvc=GOOD), "spec.source.http.url: Required value"),
    "API-46 both kinds of source": (
        {**_dv(pvc=GOOD), "spec": {**_dv(pvc=GOOD)["spec"], "sourceRef": {"kind": "DataSource", "name": "a"}}},
        "",
    ),
    "both pvc and storage": (
        _dv(pvc=GOOD, storage=storage("1Gi")),
        "Duplicate storage definition, both target storage and target pvc defined",
    ),
    "a checksum of the wrong length": (_dv(http(URL, checksum="sha256:abcd"), pvc=GOOD), "Invalid checksum format: "),
}


@pytest.mark.parametrize("case", REFUSED, ids=str)
@pytest.mark.parametrize("version", [V1BETA1, V1ALPHA1], ids=["v1beta1", "v1alpha1"])
def test_what_cannot_work_is_refused_with_the_contracts_text(space: Namespace, case: str, version: str) -> None:
    manifest, text = REFUSED[case]
    with pytest.raises(Refused) as refused:
        space.create({**manifest, "apiVersion": version})
    assert text in refused.value.message
    assert refused.value.status in (400, 422)
    assert space.list("DataVolume") == []


ACCEPTED: dict[str, Object] = {
    "API-29 http": _dv(pvc=GOOD),
    "API-36 size with a leading zero": _dv(pvc=claim("01Gi", "shared")),
    "a clone without a size": _dv({"pvc": {"namespace": "a", "name": "b"}}, storage={}),
    "several access modes in storage": _dv(storage=storage("1Gi", accessModes=["ReadWriteOnce", "ReadWriteMany"])),
    "an empty class name": _dv(storage=storage("1Gi", storageClassName="")),
}


@pytest.mark.parametrize("case", sorted(set(ACCEPTED) - {"a clone without a size"}), ids=str)
@pytest.mark.parametrize("version", [V1BETA1, V1ALPHA1], ids=["v1beta1", "v1alpha1"])
def test_what_may_work_is_accepted(space: Namespace, case: str, version: str) -> None:
    space.cluster.create(
        {**ACCEPTED[case], "apiVersion": version, "metadata": {"name": "disk", "namespace": space.name}},
        dry_run=True,
    )


def test_a_spec_stays_as_it_is_and_metadata_may_change(space: Namespace) -> None:
    space.create(datavolume("disk", {"blank": {}}, pvc=GOOD))
    with pytest.raises(Refused, match="Cannot update DataVolume Spec"):
        space.patch("DataVolume", "disk", {"spec": {"source": {"blank": None, "http": {"url": URL}}}})
    space.patch("DataVolume", "disk", {"metadata": {"labels": {"team": "blue"}}})
    assert space.get("DataVolume", "disk")["metadata"]["labels"]["team"] == "blue"


POPULATORS: dict[str, tuple[str, Object, str]] = {
    "API-50 no source": ("VolumeImportSource", {}, "Missing VolumeImport source"),
    "API-51 malformed URL": ("VolumeImportSource", {"source": http("nope")}, "spec.source Invalid source URL"),
    "API-52 empty URL": ("VolumeImportSource", {"source": http("")}, "spec.source source URL is empty"),
    "API-53 malformed s3 URL": ("VolumeImportSource", {"source": {"s3": {"url": "nope"}}}, "Invalid source URL"),
    "API-55 contentType": ("VolumeImportSource", {"source": http(URL), "contentType": "x"}, "ContentType not one of"),
    "API-56 several": ("VolumeImportSource", {"source": {**http(URL), "blank": {}}}, "Multiple VolumeImport sources"),
    "API-62 upload contentType": ("VolumeUploadSource", {"contentType": "x"}, "ContentType not one of"),
}


@pytest.mark.parametrize("case", POPULATORS, ids=str)
def test_a_populators_source_is_checked(space: Namespace, case: str) -> None:
    kind, spec, text = POPULATORS[case]
    with pytest.raises(Refused) as refused:
        space.create({"apiVersion": V1BETA1, "kind": kind, "metadata": {"name": "source"}, "spec": spec})
    assert text in refused.value.message
    assert refused.value.status == 422


def test_a_populators_source_stays_as_it_is(space: Namespace) -> None:
    spec = {"source": http(URL)}
    space.create({"apiVersion": V1BETA1, "kind": "VolumeImportSource", "metadata": {"name": "a"}, "spec": spec})
    with pytest.raises(Refused, match="Cannot update VolumeImportSource Spec"):
        space.patch("VolumeImportSource", "a", {"spec": {"source": http(URL + "x")}})
    for content in ("", "archive", "kubevirt"):
        body = {"metadata": {"name": f"up-{content}x"}, "spec": {"contentType": content}}
        space.create({"apiVersion": V1BETA1, "kind": "VolumeUploadSource", **body})


@pytest.mark.parametrize("path", sorted((ROOT / "examples/cluster").glob("*.yaml")), ids=lambda path: path.name)
def test_the_examples_are_accepted(space: Namespace, path: Path) -> None:
    space.create(yaml.safe_load(path.read_text()))
