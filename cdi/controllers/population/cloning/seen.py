"""What is known of a clone beside what is known of every claim that is to be populated."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cdi.contract import annotations as a
from cdi.kube.objects import Event, Metadata
from cdi.kube.storage import PersistentVolumeClaim, VolumeSnapshot
from storageprofiles.clone import Facts

if TYPE_CHECKING:
    from cdi.controllers.population.plan import Role


@dataclass(frozen=True, slots=True)
class Cloning:
    """``namespace``: of the source, and of all that is made to clone it. ``refusal``: why this claim may not be cloned
    from there. ``claim`` or ``snapshot``: the source, None while there is none. ``is_filled``: nobody fills the source
    claim any more. ``writers``: pods that may write to the source claim. ``facts``: what the plan is made from, None
    while something of it is missing; ``missing`` says what. ``complaint``: the newest warning about the temporary claim
    that is not bound yet. ``taken``: roles whose first name somebody else has. ``fresh_mark``: for a clone that has
    none yet. ``preallocation`` and ``priority_class``: of the pod that copies.
    """

    namespace: str
    refusal: str = ""
    source_kind: str = ""
    source_name: str = ""
    claim: PersistentVolumeClaim | None = None
    snapshot: VolumeSnapshot | None = None
    is_filled: bool = True
    writers: tuple[str, ...] = ()
    facts: Facts | None = None
    missing: str = ""
    complaint: Event | None = None
    taken: frozenset[Role] = field(default_factory=frozenset)
    fresh_mark: str = ""
    preallocation: bool = False
    priority_class: str = ""


def mark_of(metadata: Metadata) -> str:
    return metadata.annotations.get(a.OWN_CLONE_MARK, "")
