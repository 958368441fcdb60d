"""Which finalizers an object in deletion keeps. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from cdi.contract import annotations as a
from cdi.contract.annotations import C

# Put on by the Go CDI, and by us where no owner reference can say what has to go as well. Who populates a claim takes
# the one of its own clones off.
OF_CDI = frozenset(
    (
        C + "dataVolumeFinalizer",  # a DataVolume that clones from another namespace
        a.CLONE_FINALIZER,  # a claim while a populator clones into it
        a.SOURCE_FINALIZER,  # a claim that is copied into
        C + "importImageStream",  # a claim whose worker has no owner
        C + "objectTransfer",
        "operator.cdi.kubevirt.io",  # the CDI object
    )
)


class Metadata(Protocol):
    """Of any object."""

    @property
    def annotations(self) -> Mapping[str, str]: ...

    @property
    def finalizers(self) -> Sequence[str]: ...

    @property
    def deletion_timestamp(self) -> str | None: ...


def left_over(metadata: Metadata) -> list[str] | None:
    """Those of others, which stay; None where there is nothing to take off."""
    left = OF_CDI - {a.CLONE_FINALIZER, a.SOURCE_FINALIZER} if a.OWN_CLONE_MARK in metadata.annotations else OF_CDI
    if not metadata.deletion_timestamp or left.isdisjoint(metadata.finalizers):
        return None
    return [name for name in metadata.finalizers if name not in left]
