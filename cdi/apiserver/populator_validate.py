"""/populator-validate: VolumeImportSource and VolumeUploadSource. /unserved-kind: a warning."""

from __future__ import annotations

from msgspec import convert, to_builtins
from msgspec.structs import replace

from cdi.api.datavolume import KIND as DATA_VOLUME
from cdi.api.datavolume import DataVolumeSource, DataVolumeSpec
from cdi.api.populators import (
    IMPORT_KIND,
    UPLOAD_KIND,
    ImportSource,
    VolumeImportSource,
    VolumeImportSourceSpec,
    VolumeUploadSource,
)
from cdi.api.sourcerules import of_source
from cdi.api.violation import Violation
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, DUPLICATE, Answer, Request, refused
from cdi.apiserver.served import NOT_ACTED_ON, source_warnings
from cdi.kube.cdi_resources import DATA_VOLUMES
from cdi.kube.objects import Object

_LONGEST_NAME = 63
_CONTENTS = ("", "kubevirt", "archive")


async def validate(request: Request, lookup: Lookup) -> Answer:
    if request.resource.resource == "volumeuploadsources":
        return _upload(request)
    source = decoded(request.object, VolumeImportSource)
    if request.operation == "UPDATE":
        return await _updated(request, source, lookup)
    found = _name(source.metadata.name) or _import(source.spec)
    if found is not None:
        return refused([found])
    return Answer(warnings=source_warnings(source.spec.source.members if source.spec.source else ()))


async def warn(request: Request, lookup: Lookup) -> Answer:  # noqa: ARG001 - all webhooks are called alike
    return Answer(warnings=(f"{request.resource.resource} are {NOT_ACTED_ON}",))


def _upload(request: Request) -> Answer:
    source = decoded(request.object, VolumeUploadSource)
    if request.operation == "UPDATE":
        same = decoded(request.old_object, VolumeUploadSource).spec == source.spec
        return ALLOWED if same else _changed(UPLOAD_KIND)
    found = _name(source.metadata.name) or _content(source.spec.content_type)
    return refused([found]) if found is not None else ALLOWED


async def _updated(request: Request, source: VolumeImportSource, lookup: Lookup) -> Answer:
    before, after = decoded(request.old_object, VolumeImportSource).spec, source.spec
    if before == after or _adds_checkpoints(before, after) or await _corrects(request, before, after, lookup):
        return ALLOWED
    return _changed(IMPORT_KIND)


def _changed(kind: str) -> Answer:
    return refused([Violation(f"{kind}.Spec", f"Cannot update {kind} Spec")], DUPLICATE)


def _name(name: str) -> Violation | None:
    if len(name) > _LONGEST_NAME:
        return Violation("", f"Name cannot be longer than {_LONGEST_NAME} characters")
    return None


def _content(kind: str) -> Violation | None:
    return None if kind in _CONTENTS else Violation("spec.contentType", "ContentType not one of: kubevirt, archive")


def _adds_checkpoints(before: VolumeImportSourceSpec, after: VolumeImportSourceSpec) -> bool:
    source = after.source
    if not after.checkpoints or source is None or (source.vddk is None and source.imageio is None):
        return False
    return replace(before, checkpoints=[], final_checkpoint=None) == replace(
        after, checkpoints=[], final_checkpoint=None
    )


async def _corrects(
    request: Request, before: VolumeImportSourceSpec, after: VolumeImportSourceSpec, lookup: Lookup
) -> bool:
    """The source of a held DataVolume follows its edited spec, of which /datavolume-validate approved."""
    if replace(after, source=before.source) != before or after.source is None:
        return False
    owners = decoded(request.old_object, Object).metadata.owner_references
    owner = next((item for item in owners if item.controller and item.kind == DATA_VOLUME), None)
    if owner is None:
        return False
    volume = await lookup.find(DATA_VOLUMES, owner.name, request.namespace)
    if volume is None or volume.metadata.uid != owner.uid:
        return False
    return volume.spec.source == _as_datavolumes(after.source)


def _import(spec: VolumeImportSourceSpec) -> Violation | None:
    wrong = _content(spec.content_type)
    if wrong is not None:
        return wrong
    members = spec.source.members if spec.source is not None else []
    if spec.source is None or not members:
        return Violation("spec.source", "Missing VolumeImport source")
    if len(members) > 1:
        return Violation("spec.source", "Multiple VolumeImport sources")
    if spec.checkpoints and members[0] in ("vddk", "imageio") and not spec.target_claim:
        text = "Unable to do multi-stage import without specifying a target claim"
        return Violation("spec.targetClaim", text)
    same = DataVolumeSpec(source=_as_datavolumes(spec.source), content_type=spec.content_type)
    return next(of_source(same), None)


def _as_datavolumes(source: ImportSource) -> DataVolumeSource:
    """A DataVolume's source has the same members, and more."""
    return convert(to_builtins(source), DataVolumeSource)
