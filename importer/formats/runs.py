"""Joining extents that are neighbours both on the disk and in the file."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from importer.formats import Extent, Kind


def merged(extents: Iterable[Extent]) -> Iterator[Extent]:
    """``extents``, which come in guest order, with adjacent DATA runs joined."""
    run: Extent | None = None
    for extent in extents:
        if run is not None and _joins(run, extent):
            length = run.length + extent.length
            run = Extent(run.guest, length, run.host, length)
            continue
        if run is not None:
            yield run
        run = extent
    if run is not None:
        yield run


def _joins(run: Extent, extent: Extent) -> bool:
    return (
        run.kind is Kind.DATA
        and extent.kind is Kind.DATA
        and run.guest + run.length == extent.guest
        and run.host + run.length == extent.host
    )
