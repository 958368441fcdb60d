"""What claims may ask for, and this version does not do: clones. Pure."""

from __future__ import annotations

from cdi.contract import annotations as a
from cdi.kube.storage import PersistentVolumeClaim

TEXT = "clones are accepted, but not acted on by this version"


def is_asked(claim: PersistentVolumeClaim) -> bool:
    """And it is still to be done: another version may have done it."""
    annotations = claim.metadata.annotations
    is_done = annotations.get(a.POD_PHASE) == "Succeeded" or annotations.get(a.CLONE_OF) == "true"
    return a.CLONE_REQUEST in annotations and not is_done
