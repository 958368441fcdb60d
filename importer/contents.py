"""What is inside the compressions of a source, as far as its first bytes tell. Pure."""

from __future__ import annotations

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.sources import HEAD_SIZE, Facts

COMPRESSIONS = ("gz", "zst", "xz")
_LAYERS = 3  # one in another is a mishap that happens; more than this is made
_INNER_HEAD = MiB  # plain bytes decoded from the head to recognise what is inside
_LEAST = 512  # plain bytes that tell every format from every other


def unwrap(facts: Facts) -> tuple[tuple[str, ...], bytes]:
    """The compressions around the content, outermost first, and the content's first bytes.

    Raises PackingUnsupported for what is packed too often, or holds nothing where its beginning should be, SourceEmpty
    when there is no content at all, and what the decoders find in the first bytes.
    """
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
            raise _refused(facts, f"a {kind} file of which {len(packed):,} bytes do not tell what is inside")
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
