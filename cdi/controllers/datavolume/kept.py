"""The source object beside a claim: made again, corrected, and gone when it has done its work. Pure."""

from __future__ import annotations

from msgspec import to_builtins

from cdi.api.populators import VolumeImportSource, VolumeSource
from cdi.contract import annotations as a
from cdi.controllers.changes import difference
from cdi.controllers.claims.finished import stays_succeeded
from cdi.controllers.datavolume.belonging import is_populated_for
from cdi.controllers.datavolume.claim import source_body, source_spec
from cdi.controllers.datavolume.filling import Filling
from cdi.controllers.datavolume.observed import Observed
from cdi.controllers.datavolume.plan import Action, AnnotateClaim, CorrectSource, CreateSource, DeleteSource
from cdi.kube.storage import PersistentVolumeClaim
from cdi.sources.request import asked_of, edited


def own_source(seen: Observed) -> VolumeSource | None:
    """Anybody may have made an object of its name: that one is not corrected, and not deleted."""
    return seen.source if seen.source is not None and seen.source.metadata.controller_uid == seen.uid else None


def source_kept(seen: Observed, claim: PersistentVolumeClaim, filling: Filling) -> list[Action]:
    source, spec = own_source(seen), seen.volume.spec
    over: list[Action] = [DeleteSource(source.kind, source.metadata.name, source.metadata.uid)] if source else []
    if claim.spec.data_source_ref is None:
        if spec.source is None or claim.metadata.annotations.get(a.POD_PHASE) == "Succeeded":
            return over
        if stays_succeeded(seen.volume, claim):
            return over
        wanted = edited(claim.metadata.annotations, asked_of(spec.source, seen.volume.metadata.annotations))
        changed = {key: value for key, value in wanted.items() if claim.metadata.annotations.get(key, "") != value}
        return over + ([AnnotateClaim(claim, changed)] if changed and not is_populated_for(seen, claim) else [])
    if seen.volume.status.phase == "Succeeded" and claim.status.phase == "Bound":
        return over
    if source is None:
        is_done = claim.metadata.annotations.get(a.POD_PHASE) == "Succeeded"
        return [] if is_done else [CreateSource(source_body(seen, filling))]
    return _source_corrected(seen, claim, source) if isinstance(source, VolumeImportSource) else []


def _source_corrected(seen: Observed, claim: PersistentVolumeClaim, source: VolumeImportSource) -> list[Action]:
    """What is imported may be edited while the import is held."""
    changes = difference({"source": to_builtins(source.spec.source)}, {"source": source_spec(seen)["source"]})
    corrected: list[Action] = [CorrectSource(source.kind, source.metadata.name, changes)] if changes else []
    checksum = seen.volume.metadata.annotations.get(a.CHECKSUM)
    if claim.metadata.annotations.get(a.CHECKSUM) != checksum:
        corrected.append(AnnotateClaim(claim, {a.CHECKSUM: checksum}))
    return corrected
