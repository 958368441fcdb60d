"""The plan: what the first answer of a source says, and by which route its bytes become a disk.

``make_plan`` asks the source once and reads headers; ``choose_route`` is pure. ``cdi inspect`` prints the plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import human_size
from importer.formats import Image, ReadAt
from importer.sources import Facts, Source
from importer.tables import Tables

if TYPE_CHECKING:
    from importer.decode.xz_blocks import XzBlockReader
    from importer.fetch.reader import RangeReader
    from importer.fetch.retry import FirstPatience

FOOTER_SIZE = 512  # of a fixed VHD: behind the disk, and no part of it
_PAGE = 4096
_TARRED = "This is a tar archive, and becomes the disk as it is: contentType: archive (--archive) unpacks it."


class Route(Enum):
    SCATTER = "scatter"  # allocated parts by range, each written in place
    BLOCKS = "blocks"  # xz blocks by range, decoded side by side
    STREAM = "stream"  # bytes in order, decompressed on the way, written as they come
    PLACE = "place"  # qcow2 in order: clusters written in place as they arrive
    SPOOL = "spool"  # the image is kept whole beside the target first
    ARCHIVE = "archive"  # tar entries into a directory


class Resumes(Enum):
    """What a new process keeps of an interrupted import."""

    ANYWHERE = "anywhere"  # every written unit
    FRAME = "frame"  # up to the last gzip member, zstd frame or xz block
    PREFIX = "prefix"  # the written prefix, hashed again from the target
    NOTHING = "nothing"  # from byte 0; within a process a retry always continues


@dataclass(frozen=True, slots=True)
class Plan:
    """``virtual_size``: bytes of disk, None when only the end of the stream will tell. ``granule``: alignment of what
    will be written, in bytes of disk; None while unknown. ``declared``: raw because somebody said so, and not by its
    looks: to the last byte, whatever that may be the footer of."""

    facts: Facts
    compression: tuple[str, ...]
    format: str
    virtual_size: int | None
    route: Route
    resumes: Resumes
    warnings: tuple[str, ...] = ()
    granule: int | None = None
    declared: bool = False
    image: Image | None = field(default=None, compare=False, repr=False)  # whose header was read, where it can be
    tables: Tables | None = field(default=None, compare=False, repr=False)

    @property
    def unaligned(self) -> bool:
        """Writes may be smaller than a page: they have to go through the page cache."""
        return self.granule is None or self.granule % _PAGE != 0

    @property
    def size_is_certain(self) -> bool:
        """A compressed stream ends where it ends, whatever its first header declares."""
        return not (self.compression and self.route is Route.STREAM)

    @property
    def least_size(self) -> int:
        """Bytes of disk there will be at least: what is raw may turn out to end in the footer of a fixed VHD."""
        size = self.virtual_size or 0
        ends_unseen = (bool(self.compression) or not self.facts.ranges) and not self.declared
        return max(0, size - FOOTER_SIZE) if ends_unseen and self.route in (Route.STREAM, Route.BLOCKS) else size

    @property
    def needs_spool(self) -> bool:
        return self.route is Route.SPOOL

    def describe(self) -> str:
        """One sentence for people: how the bytes will travel."""
        packed = f" through {' in '.join(self.compression)}" if self.compression else ""
        return _SENTENCES[self.route].format(format=self.format, packed=packed)


_SENTENCES = {
    Route.SCATTER: "only the allocated parts are fetched, by parallel ranges, and written in place",
    Route.BLOCKS: "xz blocks are fetched and decoded side by side and written in place",
    Route.STREAM: "the {format} disk is read in order{packed} and written as it comes",
    Route.PLACE: "{format} clusters{packed} are written in place as they arrive",
    Route.SPOOL: "the {format} image{packed} is kept in a temporary file beside the target, then converted from there",
    Route.ARCHIVE: "the archive's entries{packed} are unpacked into the directory",
}


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the user asked for, as far as it decides the route. ``raw``: the bytes are the disk, whatever they are."""

    archive: bool = False
    checksum: bool = False
    raw: bool = False


def choose_route(ranges: bool, compression: tuple[str, ...], format: str, wishes: Wishes, xz_blocks: int = 0) -> Route:
    """A checksum needs every byte in order, so it turns parallel placement into an ordered stream."""
    if wishes.archive:
        return Route.ARCHIVE
    in_order = wishes.checksum or bool(compression) or not ranges
    if format == "raw":
        if compression == ("xz",) and ranges and not wishes.checksum and xz_blocks > 1:
            return Route.BLOCKS
        return Route.STREAM if in_order else Route.SCATTER
    if not in_order:
        return Route.SCATTER
    return Route.PLACE if format == "qcow2" else Route.SPOOL


def what_resumes(route: Route, facts: Facts, packed: bool, checksum: bool) -> Resumes:
    """A new process continues only when the bytes are provably the same: length and strong ETag are equal."""
    if not (facts.ranges and facts.etag and facts.size is not None):
        return Resumes.NOTHING
    if route is Route.SCATTER:
        return Resumes.ANYWHERE
    if route is Route.BLOCKS:
        return Resumes.FRAME
    if route is Route.STREAM and not (packed and checksum):  # the hash of packed bytes cannot be made again
        return Resumes.FRAME if packed else Resumes.PREFIX
    return Resumes.NOTHING


def make_plan(source: Source, read_at: ReadAt, wishes: Wishes) -> Plan:
    """Ask ``source`` (at most two requests) and decide. ``read_at`` reads ranges of it, used only when it has them.

    Raises the source's Faults, NotADiskImage, PackingUnsupported, SourceEmpty, and every refusal that a header shows.
    """
    facts = source.probe()
    if facts.size == 0 or not facts.head:
        raise Fault("SourceEmpty", source=facts.name)
    tables = Tables(read_at, facts.head, facts.size or 0)
    if wishes.raw:
        return _declared_raw(facts, tables, wishes)
    content = _seen_in(facts, read_at, wishes)
    compression = content.compression
    tarred = content.format == "tar" and not wishes.archive
    blocks = _xz_blocks(facts, compression, tables)
    disk = _disk(facts, content, blocks, tables)
    if disk.format == "raw" and not wishes.archive:
        _refuse_other_files(facts, compression, content.head)
    # The footer of a fixed VHD is looked for in one block; one that is torn apart is found in order.
    apart = blocks.blocks if blocks and blocks.blocks and blocks.blocks[-1].plain_length >= FOOTER_SIZE else ()
    route = choose_route(facts.ranges, compression, disk.format, wishes, len(apart))
    return Plan(
        facts=facts,
        compression=compression,
        format=disk.format,
        virtual_size=None if wishes.archive else disk.virtual_size,
        granule=disk.granule,
        route=route,
        resumes=what_resumes(route, facts, bool(compression), wishes.checksum),
        warnings=(*_warnings(facts, route, disk.format, wishes), *((_TARRED,) if tarred else ())),
        image=disk.image,
        tables=tables,
    )


def _declared_raw(facts: Facts, tables: Tables, wishes: Wishes) -> Plan:
    route = choose_route(facts.ranges, (), "raw", wishes)
    return Plan(
        facts=facts,
        compression=(),
        format="raw",
        virtual_size=facts.size,
        granule=_PAGE,
        route=route,
        resumes=what_resumes(route, facts, False, wishes.checksum),
        warnings=tuple(_warnings(facts, route, "raw", wishes)),
        declared=True,
        image=_mapped(facts),
        tables=tables,
    )


def _seen_in(facts: Facts, read_at: ReadAt, wishes: Wishes) -> _Content:
    """What the file looks like; its format may be tar. Raises what a look at its beginning refuses."""
    from importer.contents import unwrap
    from importer.formats.magic import recognise

    compression, head = unwrap(facts, read_at)
    format = recognise(head)
    if wishes.archive:
        return _Content(compression, "raw", head)
    _refuse_pages(facts, head)
    return _Content(compression, format, head)


def plan_patiently(source: Source, reader: RangeReader, wishes: Wishes, patience: FirstPatience) -> Plan:
    """``make_plan``, again when the source asks to be asked later."""
    while True:
        try:
            return make_plan(source, reader.read_at, wishes)
        except Fault as fault:
            patience.wait_or_raise(fault)


def open_range_image(plan: Plan, read_at: ReadAt) -> Image:
    """The image of a plan whose source has ranges, for the SCATTER route. What was read for the plan is not read
    again."""
    from importer.formats.registry import open_image

    if plan.image is not None:
        return plan.image
    assert plan.facts.size is not None
    return open_image(plan.format, plan.tables or read_at, plan.facts.size)


def _refuse_pages(facts: Facts, head: bytes) -> None:
    from importer.formats.magic import looks_like_a_page

    page = looks_like_a_page(head)
    if page:
        raise Fault("NotADiskImage", source=facts.name, kind=page[0], line=page[1])


def _refuse_other_files(facts: Facts, compression: tuple[str, ...], head: bytes) -> None:
    from importer.formats.foreign import document, packing, refuse_unread_formats

    refuse_unread_formats(head)
    packed = packing(head)
    if packed is not None:
        raise Fault("PackingUnsupported", source=facts.name, kind=packed.kind, advice=packed.advice)
    # Of what is packed twice the middle layer may have been cut.
    found = document(head, whole=facts.size == len(facts.head) and len(compression) <= 1)
    if found is not None:
        raise Fault("NotADiskImage", source=facts.name, kind=found[0], line=found[1])


def _xz_blocks(facts: Facts, compression: tuple[str, ...], read_at: ReadAt) -> XzBlockReader | None:
    """The index at the end of an xz file, which tells the plain size and where each block starts."""
    if compression != ("xz",) or not facts.ranges or facts.size is None:
        return None
    from importer.decode.xz_blocks import XzBlockReader

    return XzBlockReader(read_at, facts.size)


class _Content(NamedTuple):
    """What is inside the compressions, as far as the first bytes tell."""

    compression: tuple[str, ...]
    format: str
    head: bytes


class _Disk(NamedTuple):
    """What is inside: ``granule`` is the alignment of what will be written, None when that is not known yet."""

    format: str
    virtual_size: int | None
    granule: int | None
    image: Image | None = None


def _disk(facts: Facts, content: _Content, blocks: XzBlockReader | None, read_at: ReadAt) -> _Disk:
    """What the head (and with ranges the header) tells; every refusal that they show is raised."""
    compression, format, head = content
    if format in ("raw", "tar"):  # contract: a tar with content type kubevirt is a raw disk
        format = "raw"
        if blocks is not None and blocks.blocks:
            granule = math.gcd(*(block.plain_offset for block in blocks.blocks)) or _PAGE
            return _Disk(format, blocks.plain_size, granule)
        if compression:
            return _Disk(format, _declared_size(compression, facts), _PAGE)
        size = _disk_size(facts, read_at)
        is_vhd = size != facts.size
        return _Disk("vhd" if is_vhd else "raw", size, _PAGE, None if is_vhd else _mapped(facts))
    image = None
    if facts.ranges and facts.size is not None and not compression:
        from importer.formats.registry import open_image

        image = open_image(format, read_at, facts.size)
    if format == "qcow2":
        from importer.formats.qcow2_header import parse_header

        header = parse_header(head)
        return _Disk(format, header.virtual_size, header.granule, image)
    # Blocks of vhd, vdi and vmdk stand at any sector of the file, so a part of one may end at any sector of disk. From
    # a stream they tell how large they are when they have been spooled.
    return _Disk(format, image.virtual_size if image else None, None, image)


def _mapped(facts: Facts) -> Image | None:
    """The raw disk of a source that knows what of it is data."""
    if facts.extents is None or facts.size is None:
        return None
    from importer.formats.raw import Raw

    return Raw(lambda _offset, _length: b"", facts.size, facts.extents)


def _disk_size(facts: Facts, read_at: ReadAt) -> int | None:
    """Bytes of disk in a raw-looking file: without the footer of a fixed VHD, when its end can be seen now."""
    if not facts.ranges or facts.size is None or facts.size <= FOOTER_SIZE:
        return facts.size
    from importer.formats.ending import disk_in

    return disk_in(read_at(facts.size - FOOTER_SIZE, FOOTER_SIZE), facts.size)


def _declared_size(compression: tuple[str, ...], facts: Facts) -> int | None:
    """The plain size that the first zstd frame declares. Trusted for planning only: more frames may follow."""
    if compression != ("zst",):
        return None
    from importer.decode.zstd_frame import declared_size

    size = declared_size(facts.head)
    # A frame smaller than the file is not the only one.
    return size if size and size >= (facts.size or 0) else None


def _warnings(facts: Facts, route: Route, format: str, wishes: Wishes) -> list[str]:
    found = list(facts.notes)
    if not facts.ranges and not facts.once:
        found.append("The server gives no ranges: one connection, and a new process starts from byte 0.")
    elif not facts.etag and not facts.once:
        found.append("Nothing tells versions of the source apart (no strong ETag): a new process starts from byte 0.")
    if route is Route.SPOOL:
        size = "as large as the image" if facts.size is None else f"of {human_size(facts.size)} or more"
        found.append(f"A {format} image in a stream needs a temporary file {size} beside the target.")
    if wishes.checksum and route is Route.PLACE:
        found.append("A checksum needs every byte in order: a new process starts from byte 0.")
    return found
