"""The plan: what the first answer of a source says, and by which route its bytes become a disk.

``make_plan`` asks the source once and reads headers; ``choose_route`` is pure. ``cdi inspect`` prints the plan.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import MiB, human_size
from importer.formats import Image, ReadAt
from importer.sources import Facts, Source

if TYPE_CHECKING:
    from importer.decode.xz_blocks import XzBlockReader

_INNER_HEAD = MiB  # plain bytes decoded from the head to recognise what is inside
_PAGE = 4096
_COMPRESSIONS = ("gz", "zst", "xz")


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
    will be written, in bytes of disk; None while unknown."""

    facts: Facts
    compression: tuple[str, ...]
    format: str
    virtual_size: int | None
    route: Route
    resumes: Resumes
    warnings: tuple[str, ...] = ()
    granule: int | None = None

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
        """Bytes of disk there will be at least: a stream may turn out to end in the footer of a fixed VHD."""
        size = self.virtual_size or 0
        return max(0, size - 512) if self.route is Route.STREAM else size

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
    """What the user asked for, as far as it decides the route."""

    archive: bool = False
    checksum: bool = False


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
    """The rule of design.md 4: a new process continues only when the bytes are provably the same."""
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

    Raises the source's Faults, NotADiskImage, SourceEmpty, and every refusal that a header shows.
    """
    from importer.formats.magic import recognise

    facts = source.probe()
    if facts.size == 0 or not facts.head:
        raise Fault("SourceEmpty", source=facts.name)
    read_at = _head_first(facts, read_at)
    compression, head = _unwrap(facts)
    format = recognise(head)
    if not wishes.archive:
        _refuse_pages(facts, head)
    if format == "tar" or wishes.archive:
        format = "raw"  # contract: a tar with content type kubevirt is a raw disk
    blocks = _xz_blocks(facts, compression, read_at)
    disk = _disk(facts, _Content(compression, format, head), blocks, read_at)
    route = choose_route(facts.ranges, compression, disk.format, wishes, len(blocks.blocks) if blocks else 0)
    return Plan(
        facts=facts,
        compression=compression,
        format=disk.format,
        virtual_size=None if wishes.archive else disk.virtual_size,
        granule=disk.granule,
        route=route,
        resumes=what_resumes(route, facts, bool(compression), wishes.checksum),
        warnings=tuple(_warnings(facts, route, disk.format, wishes)),
    )


def open_range_image(plan: Plan, read_at: ReadAt) -> Image:
    """The image of a plan whose source has ranges, for the SCATTER route."""
    from importer.formats.registry import open_image

    assert plan.facts.size is not None
    return open_image(plan.format, _head_first(plan.facts, read_at), plan.facts.size)


def _head_first(facts: Facts, read_at: ReadAt) -> ReadAt:
    """What the probe has brought costs no request again: a refused image is asked for at most twice."""

    def read(offset: int, length: int) -> bytes:
        end = offset + length
        return facts.head[offset:end] if end <= len(facts.head) else read_at(offset, length)

    return read


def _unwrap(facts: Facts) -> tuple[tuple[str, ...], bytes]:
    """The compressions around the content, outermost first, and the content's first bytes.

    Each known compression is taken off at most once (the contract): gz(gz(x)) gives gz(x).
    """
    from importer.formats.magic import recognise

    compression: tuple[str, ...] = ()
    head = facts.head
    while (kind := recognise(head)) in _COMPRESSIONS and kind not in compression:
        compression += (kind,)
        head = _decode_head(kind, head)
    return compression, head


def _decode_head(kind: str, head: bytes) -> bytes:
    """As many plain bytes as the head gives, at most 1 MiB; the cut at its end is expected."""
    from importer.decode.registry import open_decoder

    position = 0

    def read(buffer: memoryview) -> int:
        nonlocal position
        part = head[position : position + len(buffer)]
        buffer[: len(part)] = part
        position += len(part)
        return len(part)

    plain = bytearray()
    decoder = open_decoder(kind, read)
    # Small steps: a decoder that meets the cut end raises, and what it held back is lost.
    step = memoryview(bytearray(4096))
    try:
        while len(plain) < _INNER_HEAD and (count := decoder.readinto(step)):
            plain += step[:count]
    except Fault as fault:
        if fault.code != "CompressedTruncated" and not plain:
            raise
    return bytes(plain)


def _refuse_pages(facts: Facts, head: bytes) -> None:
    from importer.formats.magic import looks_like_a_page

    page = looks_like_a_page(head)
    if page:
        raise Fault("NotADiskImage", source=facts.name, kind=page[0], line=page[1])


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


def _disk(facts: Facts, content: _Content, blocks: XzBlockReader | None, read_at: ReadAt) -> _Disk:
    """What the head (and with ranges the header) tells; every refusal that they show is raised."""
    compression, format, head = content
    if format == "raw":
        if blocks is not None and blocks.blocks:
            granule = math.gcd(*(block.plain_offset for block in blocks.blocks)) or _PAGE
            return _Disk(format, blocks.plain_size, granule)
        if compression:
            return _Disk(format, _declared_size(compression, facts), _PAGE)
        disk = _fixed_vhd(facts, read_at)
        return _Disk("raw", facts.size, _PAGE) if disk is None else _Disk("vhd", disk, _PAGE)
    if facts.ranges and facts.size is not None and not compression:
        from importer.formats.registry import open_image

        image = open_image(format, read_at, facts.size)
        # Blocks of vhd, vdi and vmdk stand at any sector of the file, so a part of one may end at any sector of disk.
        return _Disk(format, image.virtual_size, image.cluster_size if format == "qcow2" else None)
    if format == "qcow2":
        from importer.formats.qcow2_header import parse_header

        header = parse_header(head)
        return _Disk(format, header.virtual_size, header.cluster_size)
    return _Disk(format, None, None)  # seeking formats tell when they have been spooled


def _fixed_vhd(facts: Facts, read_at: ReadAt) -> int | None:
    """Bytes of disk when a raw-looking file ends in the footer of a fixed VHD."""
    if not facts.ranges or facts.size is None or facts.size <= 512:
        return None
    from importer.formats.vhd import fixed_vhd_footer

    return fixed_vhd_footer(read_at(facts.size - 512, 512), facts.size)


def _declared_size(compression: tuple[str, ...], facts: Facts) -> int | None:
    """The plain size that the first zstd frame declares. Trusted for planning only: more frames may follow."""
    if compression != ("zst",):
        return None
    import zstandard

    size = zstandard.frame_content_size(facts.head)
    return size if size > 0 and size >= (facts.size or 0) else None  # a frame smaller than the file is not the only one


def _warnings(facts: Facts, route: Route, format: str, wishes: Wishes) -> list[str]:
    found = list(facts.notes)
    if not facts.ranges:
        found.append("The server gives no ranges: one connection, and a new process starts from byte 0.")
    elif not facts.etag:
        found.append("The server gives no strong ETag: a new process starts from byte 0.")
    if route is Route.SPOOL:
        size = "as large as the image" if facts.size is None else f"of {human_size(facts.size)} or more"
        found.append(f"A {format} image in a stream needs a temporary file {size} beside the target.")
    if wishes.checksum and route is Route.PLACE:
        found.append("A checksum needs every byte in order: a new process starts from byte 0.")
    return found
