"""Where the bytes for a claim go: read off the claim, or off PVC' that is filled for it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.base.printable import excerpt
from cdi.base.upload_permits import UploadPermit
from cdi.contract import annotations as a
from cdi.contract import names
from cdi.kube.storage import PersistentVolumeClaim
from uploadproxy.proxy.refusal import UNAVAILABLE, Refusal

_GROUP, _UPLOAD_SOURCE = "cdi.kubevirt.io", "VolumeUploadSource"
_CONTENTS = {"": False, "kubevirt": False, "archive": True}
_SHOWN = 200  # characters of what somebody wrote into an annotation


@dataclass(frozen=True, slots=True)
class Destination:
    """``host``: the upload server's name in the cluster, and in its certificate."""

    host: str
    is_archive: bool = False


def filled_claim(target: PersistentVolumeClaim, permit: UploadPermit) -> str:
    """The name of the claim that has an upload server: ``target``'s own, or that of PVC'; empty while there is no PVC'.

    Raises Refusal where there is nothing to wait for.
    """
    if not permit.fits(target.metadata.uid):
        raise Refusal(401, Fault("UploadTokenOutdated", claim=_shown(target)))
    _must_be_unfinished(target)
    reference = target.spec.data_source_ref
    if reference is None or (reference.api_group, reference.kind) != (_GROUP, _UPLOAD_SOURCE):
        return target.metadata.name
    return target.metadata.annotations.get(a.PRIME, "")


def destination(claim: PersistentVolumeClaim, target: PersistentVolumeClaim) -> Destination | None:
    """None while the server of ``claim`` is not ready. Raises Refusal where there is nothing to wait for."""
    if claim is not target and claim.metadata.controller_uid != target.metadata.uid:
        # Whoever may annotate a claim would else lead what is meant for it into any other one.
        raise Refusal(UNAVAILABLE, Fault("UploadUnasked", claim=_shown(target), why=f"{_shown(claim)} is not its PVC'"))
    said = claim.metadata.annotations
    if a.UPLOAD_TARGET not in said:
        why = f"it has no annotation {a.UPLOAD_TARGET}"
        raise Refusal(UNAVAILABLE, Fault("UploadUnasked", claim=_shown(claim), why=why))
    _must_be_unfinished(claim)
    content = said.get(a.CONTENT_TYPE, "")
    if content not in _CONTENTS:
        values = {"claim": _shown(claim), "content": excerpt(content, _SHOWN)}
        raise Refusal(UNAVAILABLE, Fault("UploadContentUnknown", **values))
    if said.get(a.POD_READY) != "true":
        return None
    service = names.upload_service(claim.metadata.name)
    return Destination(f"{service}.{claim.metadata.namespace}.svc", _CONTENTS[content])


def hindrance(claim: PersistentVolumeClaim) -> str:
    """What a claim says about its server that is not ready."""
    said = claim.metadata.annotations
    phase, message = said.get(a.POD_PHASE, ""), said.get(a.RUNNING_MESSAGE, "")
    parts = [f"its pod is {phase}" if phase else "it has no pod yet", message]
    return f"{_shown(claim)}: {excerpt('; '.join(part for part in parts if part), _SHOWN)}"


def _must_be_unfinished(claim: PersistentVolumeClaim) -> None:
    if claim.metadata.annotations.get(a.POD_PHASE) == "Succeeded":
        raise Refusal(UNAVAILABLE, Fault("UploadFinished", claim=_shown(claim)))


def _shown(claim: PersistentVolumeClaim) -> str:
    return f"{claim.metadata.namespace}/{claim.metadata.name}"
