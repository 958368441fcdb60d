"""A blank disk: all zeros, of the size asked for."""

from __future__ import annotations

from cdi.base.faults import Fault
from importer.target import Target


def make_blank(target: Target, archive: bool = False) -> int:
    """Make and publish a blank disk; its size in bytes. A device is really zeroed: it may hold another's data."""
    if archive:
        # Contract text of the Go CDI.
        raise Fault(
            "ManifestInvalid",
            contract="Cannot create empty disk with content type archive",
            where="contentType",
            detail="archive and a blank source exclude each other",
        )
    size = target.final_size(0)
    if size <= 0:
        raise Fault("ManifestInvalid", where="size", detail="a blank disk needs a size")
    with target.made_anew(size) as site:
        size = target.final_size(size, site.sink.block)
        site.sink.grow(size)
        site.sink.zero(0, size)
    return size
