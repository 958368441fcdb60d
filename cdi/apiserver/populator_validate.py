"""/populator-validate: VolumeImportSource and VolumeUploadSource. /unserved-kind: a warning."""

from __future__ import annotations

from msgspec import convert, to_builtins
from msgspec.structs import replace

from cdi.api.datavolume import DataVolumeSource, DataVolumeSpec
from cdi.api.populators import VolumeImportSource, VolumeImportSourceSpec, VolumeUploadSource
from cdi.api.sourcerules import of_source
from cdi.api.violation import Violation
from cdi.apiserver.decoding import decoded
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import ALLOWED, DUPLICATE, Answer, Request, refused

_LONGEST_NAME = 63
_CONTENTS = ("", "kubevirt", "archive")
_SERVED = ("http", "s3", "blank")
NOT_ACTED_ON = "accepted, not acted on by this version"


async def validate(request: Request, lookup: Lookup) -> Answer:  # noqa: ARG001 - all webhooks are called alike
    if request.resource.resource == "volumeuploadsources":
        return _upload(request)
    source = decoded(request.object, VolumeImportSource)
    if request.operation == "UPDATE":
        return _updated(decoded(request.old_object, VolumeImportSource).spec, source.spec)
    found = _name(source.metadata.name) or _import(source.spec)
    if found is not None:
        return refused([found])
    members = source.spec.source.members if source.spec.source is not None else []
    return Answer(warnings=tuple(f"source {name} is {NOT_ACTED_ON}" for name in members if name not in _SERVED))


async def warn(request: Request, lookup: Lookup) -> Answer:  # noqa: ARG001
    return Answer(warnings=(f"{request.resource.resource} are {NOT_ACTED_ON}",))


def _upload(request: Request) -> Answer:
    source = decoded(request.object, VolumeUploadSource)
    if request.operation == "UPDATE":
        if decoded(request.old_object, VolumeUploadSource).spec != source.spec:
            return refused([Violation("", "Cannot update VolumeUploadSource Spec")], DUPLICATE)
        return ALLOWED
    found = _name(source.metadata.name) or _content(source.spec.content_type)
    return refused([found]) if found is not None else Answer(warnings=(f"VolumeUploadSource is {NOT_ACTED_ON}",))


def _name(name: str) -> Violation | None:
    if len(name) > _LONGEST_NAME:
        return Violation("", f"Name cannot be longer than {_LONGEST_NAME} characters")
    return None


def _content(kind: str) -> Violation | None:
    return None if kind in _CONTENTS else Violation("spec.contentType", "ContentType not one of: kubevirt, archive")


def _updated(before: VolumeImportSourceSpec, after: VolumeImportSourceSpec) -> Answer:
    if before == after or _adds_checkpoints(before, after) or _corrects(before, after):
        return ALLOWED
    return refused([Violation("", "Cannot update VolumeImportSource Spec")], DUPLICATE)


def _adds_checkpoints(before: VolumeImportSourceSpec, after: VolumeImportSourceSpec) -> bool:
    source = after.source
    if not after.checkpoints or source is None or (source.vddk is None and source.imageio is None):
        return False
    return replace(before, checkpoints=[], final_checkpoint=None) == replace(
        after, checkpoints=[], final_checkpoint=None
    )


def _corrects(before: VolumeImportSourceSpec, after: VolumeImportSourceSpec) -> bool:  # noqa: ARG001
    return False


def _import(spec: VolumeImportSourceSpec) -> Violation | None:
    wrong = _content(spec.content_type)
    if wrong is not None:
        return wrong
    members = spec.source.members if spec.source is not None else []
    if len(members) != 1:
        return Violation(
            "spec.source", f"{'Multiple' if members else 'Missing'} VolumeImport source{'s' * bool(members)}"
        )
    if spec.checkpoints and members[0] in ("vddk", "imageio") and not spec.target_claim:
        text = "Unable to do multi-stage import without specifying a target claim"
        return Violation("spec.targetClaim", text)
    # The rules are those of a DataVolume's source, which has the same members and more.
    same = convert(to_builtins(spec.source), DataVolumeSource)
    return next(of_source(DataVolumeSpec(source=same, content_type=spec.content_type)), None)
