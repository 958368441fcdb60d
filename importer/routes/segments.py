"""Cutting an extent map into ranged requests: near extents together, far ones apart. Pure.

Extents come in guest order. They are taken in batches, sorted by where they lie in the file, and cut so that a request
is large enough to hide the round trip and small enough to share out and to lose little of when a connection breaks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from itertools import chain, islice
from typing import NamedTuple

from cdi.base.units import MiB
from importer.fetch.rangeset import RangeSet
from importer.formats import Extent, Kind
from importer.routes.gaps import GAP, NO_MATTER, Gaps

__all__ = ["GAP", "NEAR_REQUEST", "REQUEST", "Segment", "holes", "missing_extents", "segments"]

REQUEST = 8 * MiB  # bytes of one ranged request at most; streamed through the worker's buffer
# Of a request to a near server: it pours the whole answer into socket buffers, and a kill loses all of it (5 MiB per
# connection measured with 8 MiB requests over loopback, 2 MiB with these, at the same speed and CPU).
NEAR_REQUEST = 2 * MiB
BATCH = 16384  # extents sorted together: about 3 MiB of memory


class Segment(NamedTuple):
    """One ranged request and the extents in it, in file order. ``whole``: must be in memory at once to be decoded."""

    host: int
    length: int
    extents: list[Extent]
    whole: bool


def missing_extents(
    extents: Iterable[Extent], kept: RangeSet, spared: Callable[[int], None] = lambda _bytes: None
) -> Iterator[Extent]:
    """The extents without what is on the disk already; ``spared`` gets the bytes of each that need no transfer.

    A compressed cluster is kept whole or made again whole.
    """
    for extent in extents:
        gaps = list(kept.missing(extent.guest, extent.guest + extent.length))
        if extent.kind is not Kind.DATA:
            if gaps:
                yield extent
            else:
                spared(extent.host_length)
            continue
        spared(extent.length - sum(end - start for start, end in gaps))
        for start, end in gaps:
            yield Extent(start, end - start, extent.host + start - extent.guest, end - start)


def holes(extents: Iterable[Extent], size: int, found: Callable[[int, int], None]) -> Iterator[Extent]:
    """Pass ``extents`` on and tell ``found(offset, length)`` of every range of the disk that is in none."""
    position = 0
    for extent in extents:
        if extent.guest > position:
            found(position, extent.guest - position)
        position = extent.guest + extent.length
        yield extent
    if size > position:
        found(position, size - position)


def segments(
    extents: Iterator[Extent],
    whole_size: int,
    request: Callable[[], int] = lambda: REQUEST,
    gaps: Gaps = NO_MATTER,
) -> Iterator[Segment]:
    """Requests for all ``extents``, of at most ``request()`` bytes, asked anew for each; those holding compressed ones
    span at most ``whole_size`` bytes. ``gaps`` says what is read over."""
    complete = True  # of an image of one batch everything is known
    while batch := list(islice(extents, BATCH)):
        batch.sort(key=lambda extent: extent.host)
        complete = complete and len(batch) < BATCH
        yield from _cut(batch, whole_size, request, partial(gaps.bridges, complete=complete))


def _cut(
    batch: list[Extent], whole_size: int, request: Callable[[], int], bridges: Callable[[int, int], bool]
) -> Iterator[Segment]:
    run: list[Extent] = []
    start = end = 0
    for extent in chain.from_iterable(_split(extent, request) for extent in batch):
        whole = extent.kind is not Kind.DATA
        last = extent.host + extent.host_length
        # Packed clusters may share a sector; data that overlaps (a damaged image) goes into requests of its own, since
        # a request is copied out in one pass. Parts of a long extent may pass the start of the next one.
        follows = extent.host >= (start if whole else end)
        fits = run and whole == (run[0].kind is not Kind.DATA) and follows
        fits = fits and max(end, last) - start <= (whole_size if whole else request())
        if not fits or (extent.host > end and not bridges(end, extent.host)):
            if run:
                yield Segment(start, end - start, run, run[0].kind is not Kind.DATA)
            run, start, end = [], extent.host, 0
        run.append(extent)
        end = max(end, last)
    if run:
        yield Segment(start, end - start, run, run[0].kind is not Kind.DATA)


def _split(extent: Extent, request: Callable[[], int]) -> Iterator[Extent]:
    """Long data extents in request-sized parts; everything else as it is."""
    if extent.kind is not Kind.DATA:
        yield extent
        return
    done = 0
    while done < extent.length:
        part = min(request(), extent.length - done)
        yield Extent(extent.guest + done, part, extent.host + done, part)
        done += part
