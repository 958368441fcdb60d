"""P1 to P6."""

from __future__ import annotations

from typing import Any

import pytest
from support.admission import Known, create, texts, update
from support.asynchronous import asynchronous

from cdi.apiserver.populator_validate import validate, warn
from cdi.apiserver.review import ALLOWED
from cdi.kube.cdi_resources import DATA_VOLUMES

IMPORTS, UPLOADS = "volumeimportsources", "volumeuploadsources"
HTTP = {"http": {"url": "http://h/disk"}}
OTHER = {"http": {"url": "http://h/other"}}
VDDK = {"vddk": {"url": "https://h", "uuid": "u", "backingFile": "b", "thumbprint": "t", "secretRef": "s"}}
IMAGEIO = {"imageio": {"url": "https://h", "diskId": "d", "secretRef": "s", "certConfigMap": "c"}}
STEPS = [{"previous": "", "current": "a"}]


def a_source(source: dict[str, Any] | None = None, name: str = "fedora", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"source": HTTP if source is None else source, **spec}}


def an_upload(name: str = "fedora", **spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": spec}


TOO_LONG = "Name cannot be longer than 63 characters"
CONTENT = "ContentType not one of: kubevirt, archive"
REFUSED: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "P1 import": (IMPORTS, a_source(name="x" * 64), "", TOO_LONG),
    "P1 upload": (UPLOADS, an_upload("x" * 64), "", TOO_LONG),
    "P3 import": (IMPORTS, a_source(contentType="iso"), "spec.contentType", CONTENT),
    "P3 upload": (UPLOADS, an_upload(contentType="iso"), "spec.contentType", CONTENT),
    "P4 none": (IMPORTS, an_upload(), "spec.source", "Missing VolumeImport source"),
    "P4 empty": (IMPORTS, a_source({}), "spec.source", "Missing VolumeImport source"),
    "P4 several": (IMPORTS, a_source({**HTTP, "blank": {}}), "spec.source", "Multiple VolumeImport sources"),
    "P5 vddk": (
        IMPORTS,
        a_source(VDDK, checkpoints=STEPS),
        "spec.targetClaim",
        "Unable to do multi-stage import without specifying a target claim",
    ),
    "P5 imageio": (
        IMPORTS,
        a_source(IMAGEIO, checkpoints=STEPS, targetClaim=""),
        "spec.targetClaim",
        "Unable to do multi-stage import without specifying a target claim",
    ),
    "P6 empty url": (
        IMPORTS,
        a_source({"http": {"url": ""}}),
        "spec.source.HTTP.url",
        "spec.source source URL is empty",
    ),
    "P6 scheme": (
        IMPORTS,
        a_source({"s3": {"url": "ftp://h/d"}}),
        "spec.source.S3.url",
        "spec.source Invalid source URL scheme: ftp://h/d",
    ),
    "P6 blank archive": (
        IMPORTS,
        a_source({"blank": {}}, contentType="archive"),
        "spec.contentType",
        "SourceType cannot be blank and the contentType be archive",
    ),
    "P6 registry": (
        IMPORTS,
        a_source({"registry": {}}),
        "spec.source.Registry",
        "Source registry should have either URL or ImageStream",
    ),
    "P6 vddk": (
        IMPORTS,
        a_source({"vddk": {"url": "https://h"}}),
        "spec.source.VDDK",
        "spec.source.VDDK source VDDK is not valid",
    ),
}


@pytest.mark.parametrize(("resource", "body", "field", "text"), REFUSED.values(), ids=REFUSED)
@asynchronous
async def test_what_is_wrong_is_refused_with_the_contracts_text(
    resource: str, body: dict[str, Any], field: str, text: str
) -> None:
    answer = await validate(create(body, resource), Known())
    assert answer.code == 422
    assert texts(answer) == [("FieldValueInvalid", field, text)]


@pytest.mark.parametrize(
    ("body", "warnings"),
    [
        (a_source(), ()),
        (a_source({"blank": {}}, contentType=""), ()),
        (a_source(contentType="archive"), ()),
        (
            a_source(VDDK, checkpoints=STEPS, targetClaim="disk"),
            ("source vddk is accepted, not acted on by this version",),
        ),
    ],
    ids=["http", "blank", "archive", "vddk"],
)
@asynchronous
async def test_an_import_source_that_is_right_is_allowed(body: dict[str, Any], warnings: tuple[str, ...]) -> None:
    answer = await validate(create(body, IMPORTS), Known())
    assert (answer.allowed, answer.warnings) == (True, warnings)


@asynchronous
async def test_what_has_no_controller_says_so() -> None:
    text = "accepted, not acted on by this version"
    assert await validate(create(an_upload(), UPLOADS), Known()) == ALLOWED
    answer = await warn(create(an_upload(), "ovirtvolumepopulators"), Known())
    assert (answer.allowed, answer.warnings) == (True, (f"ovirtvolumepopulators are {text}",))


@asynchronous
async def test_a_changed_spec_is_refused() -> None:
    imports = await validate(update(a_source(), a_source(OTHER), IMPORTS), Known())
    assert texts(imports)[0][::2] == ("FieldValueDuplicate", "Cannot update VolumeImportSource Spec")
    uploads = await validate(update(an_upload(), an_upload(contentType="archive"), UPLOADS), Known())
    assert texts(uploads)[0][::2] == ("FieldValueDuplicate", "Cannot update VolumeUploadSource Spec")


@asynchronous
async def test_metadata_may_change() -> None:
    for resource, body in ((IMPORTS, a_source()), (UPLOADS, an_upload())):
        labelled = {**body, "metadata": {"name": "fedora", "labels": {"a": "b"}}}
        assert await validate(update(body, labelled, resource), Known()) == ALLOWED


@asynchronous
async def test_a_migration_gets_more_checkpoints() -> None:
    before = a_source(VDDK, checkpoints=STEPS, targetClaim="disk")
    more = a_source(VDDK, checkpoints=[*STEPS, *STEPS], finalCheckpoint=True, targetClaim="disk")
    assert await validate(update(before, more, IMPORTS), Known()) == ALLOWED
    assert not (await validate(update(before, a_source(VDDK, targetClaim="disk"), IMPORTS), Known())).allowed
    assert not (await validate(update(a_source(), a_source(checkpoints=STEPS), IMPORTS), Known())).allowed


OWNER = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "name": "disk", "uid": "u", "controller": True}


@pytest.mark.parametrize(
    ("source", "uid", "allowed"),
    [(OTHER, "u", True), (HTTP, "u", False), (OTHER, "another", False)],
    ids=["follows", "differs", "another DataVolume"],
)
@asynchronous
async def test_the_source_of_a_datavolume_follows_that_ones_spec(
    source: dict[str, Any], uid: str, allowed: bool
) -> None:
    known = Known().add(DATA_VOLUMES, "disk", "team", metadata={"uid": uid}, spec={"source": source})
    before = a_source()
    before["metadata"]["ownerReferences"] = [OWNER]
    assert (await validate(update(before, a_source(OTHER), IMPORTS), known)).allowed is allowed
    more = a_source(OTHER, contentType="archive")
    assert not (await validate(update(before, more, IMPORTS), known)).allowed
