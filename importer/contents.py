"""What is inside the compressions of a source, as far as its first bytes tell. No I/O of its own."""

from __future__ import annotations

from dataclasses import replace

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.formats import ReadAt
from importer.sources import HEAD_SIZE, Facts

COMPRESSIONS = ("gz", "zst", "xz")
_LAYERS = 3  # one in another is a mishap that happens; more than this is made
_INNER_HEAD = MiB  # plain bytes decoded from the head to recognise what is inside
_LONGEST_HEAD = 4 * MiB
_LEAST = 512  # plain bytes that tell every format from every other


class _Untold(Exception):
    """So much of the file does not tell what is inside. ``refusal``: for when there is no more of it."""

    def __init__(self, refusal: Fault) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


def unwrap(facts: Facts, read_at: ReadAt) -> tuple[tuple[str, ...], bytes]:
    """The compressions around the content, outermost first, and the content's first bytes. More of the file is read
    where its head tells nothing and ranges are to be had, as of one that begins with thousands of empty members.

    Raises PackingUnsupported for what is packed too often, or holds nothing where its beginning should be, SourceEmpty
    when there is no content at all, and what the decoders find in the first bytes.
    """
    while True:
        try:
            return _unwrapped(facts)
        except _Untold as untold:
            if not facts.ranges or facts.size is None or len(facts.head) >= min(facts.size, _LONGEST_HEAD):
                raise untold.refusal from untold
        facts = replace(facts, head=read_at(0, min(facts.size, 4 * len(facts.head), _LONGEST_HEAD)))


def _unwrapped(facts: Facts) -> tuple[tuple[str, ...], bytes]:
    from importer.formats.magic import recognise

    compression: tuple[str, ...] = ()
    head, whole = facts.head, facts.size == len(facts.head) or len(facts.head) < HEAD_SIZE
    while (kind := recognise(head)) in COMPRESSIONS:
        if len(compression) == _LAYERS:
            raise _refused(facts, f"packed more than {_LAYERS} times (a {kind} in a {compression[-1]})")
        packed = head
        head, ended = _decode_head(kind, packed, whole)
        whole = whole and ended
        compression += (kind,)
        if not head and whole:
            raise Fault("SourceEmpty", source=facts.name)
        if len(head) < _LEAST and not whole:
            raise _Untold(_refused(facts, f"a {kind} file of which {len(packed):,} bytes do not tell what is inside"))
    return compression, head


def _refused(facts: Facts, kind: str) -> Fault:
    return Fault("PackingUnsupported", source=facts.name, kind=kind, advice="unpack it and pack it again once")


def _decode_head(kind: str, head: bytes, whole: bool) -> tuple[bytes, bool]:
    """As many plain bytes as the head gives, at most 1 MiB, and whether that is all. The cut at its end is expected,
    unless the head is the ``whole`` file."""
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
        while len(plain) < _INNER_HEAD:
            count = decoder.readinto(step)
            if not count:
                return bytes(plain), True
            plain += step[:count]
    except Fault as fault:
        if not plain and (whole or fault.code != "CompressedTruncated"):
            raise
    return bytes(plain), False
