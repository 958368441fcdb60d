"""Which finalizers an object in deletion keeps. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from cdi.contract.annotations import C

# Put on by the Go CDI, and by us where no owner reference can say what has to go as well.
OF_CDI = frozenset(
    (
        C + "dataVolumeFinalizer",  # a DataVolume that clones from another namespace
        C + "clonePopulator",  # a claim while a populator clones into it
        C + "cloneSource",  # a claim that is copied into
        C + "importImageStream",  # a claim whose worker has no owner
        C + "objectTransfer",
        "operator.cdi.kubevirt.io",  # the CDI object
    )
)


class Metadata(Protocol):
    """Of any object."""

    @property
    def finalizers(self) -> Sequence[str]: ...

    @property
    def deletion_timestamp(self) -> str | None: ...


def left_over(metadata: Metadata) -> list[str] | None:
    """Those of others, which stay; None where there is nothing to take off."""
    if not metadata.deletion_timestamp or OF_CDI.isdisjoint(metadata.finalizers):
        return None
    return [name for name in metadata.finalizers if name not in OF_CDI]
