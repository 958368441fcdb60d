"""Rules of a DataVolume, with the contract's texts."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume, DataVolumeSpec, ObjectMeta
from cdi.api.validation import name_violation, same_spec, update_violation, violation

SIZE = {"resources": {"requests": {"storage": "1Gi"}}}
BLANK = {"source": {"blank": {}}, "storage": SIZE}


def a_volume(**spec: object) -> DataVolume:
    return msgspec.convert({"metadata": {"name": "disk"}, "spec": spec}, DataVolume)


def a_spec(**spec: object) -> DataVolumeSpec:
    return msgspec.convert({**BLANK, **spec}, DataVolumeSpec)


def from_source(content_type: str = "", **source: object) -> DataVolume:
    return a_volume(source=source, storage=SIZE, contentType=content_type)


def with_size(size: object) -> dict[str, Any]:
    return {"source": {"blank": {}}, "storage": {"resources": {"requests": {"storage": size}}}}


ACCEPTED = {
    "blank": a_volume(**BLANK),
    "a number as size": a_volume(**with_size(1048576)),
    "gs for http": from_source(http={"url": "gs://bucket/disk"}),
    "upper case digest with spaces": from_source(http={"url": "https://h/d", "checksum": "SHA1: " + "AB" * 20}),
    "clone without size": a_volume(source={"pvc": {"namespace": "a", "name": "b"}}, storage={}),
    "source reference without size": a_volume(sourceRef={"kind": "DataSource", "name": "x"}, storage={}),
    "registry": from_source(registry={"url": "docker://host/image"}),
    "image stream": from_source(registry={"imageStream": "x", "pullMethod": "node"}),
    "others populate": a_volume(storage={**SIZE, "dataSourceRef": {"apiGroup": "g", "kind": "K", "name": "n"}}),
    "several modes in storage": a_volume(
        source={"blank": {}}, storage={**SIZE, "accessModes": ["ReadWriteOnce", "ReadWriteMany"]}
    ),
}

VDDK = {"url": "https://h", "uuid": "u", "backingFile": "b", "thumbprint": "t", "secretRef": "s"}
IMAGEIO = {"url": "https://h", "diskId": "d", "secretRef": "s"}

REFUSED = {
    "Missing Data volume PVC": a_volume(source={"blank": {}}),
    "Duplicate storage definition, both target storage and target pvc defined": a_volume(**BLANK, pvc=SIZE),
    "Storage size is missing": a_volume(source={"blank": {}}, storage={}),
    "PVC size is missing": a_volume(source={"pvc": {"namespace": "a", "name": "b"}}, pvc={}),
    "Storage size can't be equal or less than zero": a_volume(**with_size("0")),
    "Storage size should be at least 1MiB": a_volume(**with_size("1000Ki")),
    "'2Ng' is not a size": a_volume(**with_size("2Ng")),
    "Required value: at least 1 access mode is required": a_volume(source={"blank": {}}, pvc=SIZE),
    "PVC multiple accessModes": a_volume(
        source={"blank": {}}, pvc={**SIZE, "accessModes": ["ReadWriteOnce", "ReadWriteMany"]}
    ),
    'Unsupported value: "Rw": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", '
    '"ReadWriteOncePod"': a_volume(source={"blank": {}}, pvc={**SIZE, "accessModes": ["Rw"]}),
    "External population is incompatible with Source and SourceRef": a_volume(
        source={"blank": {}}, storage={**SIZE, "dataSource": {"kind": "K", "name": "n"}}
    ),
    "DataSourceRef and DataSource must match": a_volume(
        storage={**SIZE, "dataSource": {"kind": "K", "name": "n"}, "dataSourceRef": {"kind": "K", "name": "n"}}
    ),
    "Required value: DataSource apiGroup when kind is not 'PersistentVolumeClaim'": a_volume(
        storage={**SIZE, "dataSource": {"kind": "K", "name": "n"}}
    ),
    "Invalid value: DataSourceRef namespace not supported": a_volume(
        storage={**SIZE, "dataSourceRef": {"kind": "PersistentVolumeClaim", "name": "n", "namespace": "x"}}
    ),
    "Data volume should have either Source or SourceRef, or be externally populated": a_volume(storage=SIZE),
    "Unsupported sourceRef kind Pod, currently only DataSource is supported": a_volume(
        sourceRef={"kind": "Pod", "name": "x"}, storage={}
    ),
    "Missing Data volume source": a_volume(source={}, storage=SIZE),
    "Multiple Data volume sources": from_source(blank={}, upload={}),
    'Unsupported value: "iso": supported values: "kubevirt", "archive"': from_source("iso", upload={}),
    "spec.source source URL is empty": from_source(http={}),
    "spec.source Invalid source URL: no-url": from_source(s3={"url": "no-url"}),
    "spec.source Invalid source URL: http://[half": from_source(gcs={"url": "http://[half"}),
    **{
        f"spec.source Invalid source URL: {url}": from_source(http={"url": url})
        for url in ("http://h:abc/x", "http://a b/x", "http://h/%zz", "ht\ttp://h/x", "http://h/x.img\n", " http://h/x")
    },
    "spec.source Invalid source URL scheme: ftp://h/d": from_source(http={"url": "ftp://h/d"}),
    "Invalid checksum format: sha256:12": from_source(http={"url": "http://h", "checksum": "sha256:12"}),
    "Invalid checksum format: " + "a" * 32: from_source(http={"url": "http://h", "checksum": "a" * 32}),
    "SourceType cannot be blank and the contentType be archive": from_source("archive", blank={}),
    "ContentType must be kubevirt when Source is Registry": from_source("archive", registry={"url": "docker://h/i"}),
    "Source registry should have either URL or ImageStream": from_source(registry={}),
    "Illegal registry source URL scheme http://h": from_source(registry={"url": "http://h"}),
    'ImportMethod  is neither pod, node or ""': from_source(registry={"url": "docker://h", "pullMethod": ""}),
    "Source registry ImageStream is supported only with node pull": from_source(registry={"imageStream": "x"}),
    "spec.source.Imageio source Imageio is not valid": from_source(imageio={"url": "https://h"}),
    "source Imageio requires CertConfigMap or InsecureSkipVerify": from_source(imageio=IMAGEIO),
    "spec.source.VDDK source VDDK is not valid": from_source(vddk={**VDDK, "uuid": ""}),
    "spec.source.PVC source PVC is not valid": from_source(pvc={"name": "x"}),
    "spec.source.Snapshot source snapshot is not valid": from_source(snapshot={"name": "x"}),
    "PVC size can't be equal or less than zero": a_volume(source={"blank": {}}, pvc=with_size("-1")["storage"]),
    "PVC size should be at least 1MiB": a_volume(source={"blank": {}}, pvc=with_size("1")["storage"]),
    "Name cannot be longer than 253 characters": a_volume(
        source={"blank": {}}, storage={**SIZE, "storageClassName": "x" * 254}
    ),
    "Required value: DataSource name": a_volume(storage={**SIZE, "dataSource": {"kind": "K", "name": ""}}),
    "Required value: DataSource kind": a_volume(storage={**SIZE, "dataSource": {"kind": "", "name": "n"}}),
    "Required value: DataSourceRef name": a_volume(storage={**SIZE, "dataSourceRef": {"kind": "K", "name": ""}}),
    "Required value: DataSourceRef kind": a_volume(storage={**SIZE, "dataSourceRef": {"kind": "", "name": "n"}}),
    "Required value: DataSourceRef apiGroup when kind is not 'PersistentVolumeClaim'": a_volume(
        storage={**SIZE, "dataSourceRef": {"kind": "K", "name": "n"}}
    ),
    "Missing sourceRef kind": a_volume(sourceRef={"kind": "", "name": "x"}, storage={}),
    "Missing sourceRef name": a_volume(sourceRef={"kind": "DataSource", "name": ""}, storage={}),
    "Illegal registry source URL nowhere": from_source(registry={"url": "nowhere"}),
    'ImportMethod both is neither pod, node or ""': from_source(registry={"url": "docker://h", "pullMethod": "both"}),
    "Source registry ImageStream is not valid": from_source(registry={"imageStream": "", "pullMethod": "node"}),
}


@pytest.mark.parametrize("volume", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_what_is_right_is_accepted(volume: DataVolume) -> None:
    assert violation(volume) is None


@pytest.mark.parametrize(("said", "volume"), REFUSED.items(), ids=REFUSED.keys())
def test_what_is_wrong_is_refused_with_the_contract_s_text(said: str, volume: DataVolume) -> None:
    broken = violation(volume)
    assert broken is not None
    assert broken.message.startswith(said) or said in broken.message


@pytest.mark.parametrize(
    ("name", "namespace", "field"),
    [
        ("../../etc", "default", "metadata.name"),
        ("", "default", "metadata.name"),
        ("UPPER", "default", "metadata.name"),
        ("a\n", "default", "metadata.name"),
        ("a" * 254, "default", "metadata.name"),
        ("disk", "..", "metadata.namespace"),
        ("disk", "a/b", "metadata.namespace"),
        ("disk", "a" * 64, "metadata.namespace"),
    ],
)
def test_names_that_could_leave_the_directory_are_no_names(name: str, namespace: str, field: str) -> None:
    broken = name_violation(ObjectMeta(name=name, namespace=namespace))
    assert broken is not None
    assert broken.field == field


def test_usual_names_are_names() -> None:
    assert name_violation(ObjectMeta(name="fedora-41.x86", namespace="team-a")) is None


def test_the_same_size_in_other_words_is_no_change() -> None:
    assert same_spec(a_spec(), a_spec(storage={"resources": {"requests": {"storage": 2**30}}}))
    assert update_violation(a_spec(), a_spec(storage={"resources": {"requests": {"storage": "1024Mi"}}})) is None


def test_a_spec_cannot_be_changed_but_for_the_source_s_members_while_it_is_held() -> None:
    before, after = (a_spec(source={"http": {"url": f"http://h/{name}"}}) for name in ("wrong", "right"))
    refused = update_violation(before, after)
    assert refused is not None
    assert refused.field == "DataVolume.Spec"
    assert refused.message.startswith("Cannot update DataVolume Spec: spec.source.http.url cannot be changed.")
    assert update_violation(before, after, held=True) is None
    assert update_violation(before, a_spec(), held=True) is not None


def test_checkpoints_may_be_added_to_a_migration() -> None:
    steps = [{"previous": "", "current": "a"}]
    assert update_violation(a_spec(source={"vddk": VDDK}), a_spec(source={"vddk": VDDK}, checkpoints=steps)) is None
    assert update_violation(a_spec(), a_spec(checkpoints=steps)) is not None
