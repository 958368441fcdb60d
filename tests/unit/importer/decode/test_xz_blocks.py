from __future__ import annotations

import random
import zlib

import pytest
from support.packed import drain, feed, some_plain, tool

from cdi.base.faults import Fault
from cdi.base.units import KiB
from importer.decode import xz_format
from importer.decode.xz_blocks import ReadAt, XzBlockReader

PLAIN = some_plain(900 * KiB)
FILES = {
    "several blocks": tool("xz -1c -T2 --block-size=100KiB", PLAIN),
    "one block": tool("xz -1c", PLAIN),
    "sha256": tool("xz -1c -T2 --block-size=100KiB --check=sha256", PLAIN),
    "no check": tool("xz -1c -T2 --block-size=100KiB --check=none", PLAIN),
    "streams": tool("xz -1c --block-size=100KiB", PLAIN[:400000]) + tool("xz -0c --check=crc32", PLAIN[400000:]),
    "streams with padding": tool("xz -1c", PLAIN[:5])
    + bytes(12)
    + tool("xz -1c", b"")
    + tool("xz -1c", PLAIN[5:])
    + bytes(400),
}
files = pytest.mark.parametrize("packed", FILES.values(), ids=list(FILES))
BLOCKS = FILES["several blocks"]


def at(data: bytes) -> ReadAt:
    return lambda offset, length: data[offset : offset + length]


def size_or_code(data: bytes) -> int | str | None:
    try:
        return XzBlockReader(at(data), len(data)).plain_size
    except Fault as fault:
        return fault.code


def index_fault(data: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        XzBlockReader(at(data), len(data))
    return caught.value


@files
def test_the_blocks_together_are_the_whole(packed: bytes) -> None:
    reader = XzBlockReader(at(packed), len(packed))
    assert reader.plain_size == len(PLAIN)
    position = 0
    for block in reader.blocks:
        assert block.plain_offset == position
        assert drain(reader.open_block(block)) == PLAIN[position : position + block.plain_length]
        position += block.plain_length
    assert position == len(PLAIN)


@files
def test_blocks_can_be_decoded_in_any_order_from_any_supply(packed: bytes) -> None:
    reader = XzBlockReader(at(packed), len(packed))
    chance = random.Random(3)
    for block in chance.sample(list(reader.blocks), len(reader.blocks)):
        supply = feed(packed[block.offset : block.offset + block.length], lambda: chance.choice((1, 13, 5000)))
        decoder = reader.open_block(block, supply)
        assert drain(decoder, step=999) == PLAIN[block.plain_offset :][: block.plain_length]
        assert (decoder.consumed, decoder.produced) == (block.length, block.plain_length)


def test_the_index_of_a_file_costs_two_reads() -> None:
    reads = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return BLOCKS[offset : offset + length]

    XzBlockReader(read_at, len(BLOCKS))
    assert len(reads) == 2
    assert sum(length for _, length in reads) <= 65 * KiB


@files
def test_a_cut_file_has_no_index(packed: bytes) -> None:
    chance = random.Random(5)
    for cut in {0, 4, 24, len(packed) - 1, len(packed) - 404, *(chance.randrange(len(packed)) for _ in range(300))}:
        # A size is right when the cut is inside the padding, or between streams.
        assert size_or_code(packed[:cut]) in ("CompressedDamaged", 5, 400000, len(PLAIN))


def test_other_bytes_behind_the_end_are_refused() -> None:
    assert index_fault(BLOCKS + b"junk").code == "CompressedDamaged"


@files
def test_a_flipped_bit_in_the_index_or_its_neighbours_is_noticed(packed: bytes) -> None:
    chance = random.Random(6)
    end = len(packed.rstrip(b"\0"))
    for _ in range(200):
        damaged = bytearray(packed)
        damaged[chance.choice((chance.randrange(12), chance.randrange(end - 20, end)))] ^= 1 << chance.randrange(8)
        assert index_fault(bytes(damaged)).code == "CompressedDamaged"


def test_a_flipped_bit_in_a_block_is_noticed_there_and_nowhere_else() -> None:
    reader = XzBlockReader(at(BLOCKS), len(BLOCKS))
    chance = random.Random(8)
    for block in reader.blocks:
        damaged = bytearray(BLOCKS)
        damaged[chance.randrange(block.offset, block.offset + block.length)] ^= 1 << chance.randrange(8)
        other = XzBlockReader(at(bytes(damaged)), len(damaged))
        with pytest.raises(Fault) as caught:
            drain(other.open_block(block))
        assert caught.value.code in ("CompressedDamaged", "MemoryLimit")
        intact = next(b for b in reader.blocks if b != block)
        assert drain(other.open_block(intact)) == PLAIN[intact.plain_offset :][: intact.plain_length]


def test_a_supply_that_ends_inside_a_block_is_an_error() -> None:
    reader = XzBlockReader(at(BLOCKS), len(BLOCKS))
    block = reader.blocks[2]
    for cut in (0, 1, 40, block.length - 1):
        with pytest.raises(Fault, match="CompressedTruncated"):
            drain(reader.open_block(block, feed(BLOCKS[block.offset : block.offset + cut])))


@pytest.mark.parametrize("change", [-1, 1, 1000])
def test_a_block_that_is_not_as_long_as_its_record_says_is_damage(change: int) -> None:
    reader = XzBlockReader(at(BLOCKS), len(BLOCKS))
    block = reader.blocks[1]
    lie = block._replace(plain_length=block.plain_length + change)
    with pytest.raises(Fault, match="CompressedDamaged"):
        drain(reader.open_block(lie))


def with_index(body: bytes) -> bytes:
    """A stream with no blocks, whatever its index says."""
    body += bytes(-len(body) % 4)
    index = body + zlib.crc32(body).to_bytes(4, "little")
    return xz_format.make_header(b"\0\4") + index + xz_format.make_footer(b"\0\4", len(index))


@pytest.mark.parametrize(
    "body",
    [
        b"\0\1\x20\x20",  # a block that is not there
        b"\0\2\x20\x20",  # fewer records than announced
        b"\0\0\x20\x20\x20\x20",  # more records than announced
        b"\0\1\x03\x20",  # shorter than any block
        b"\0\x80\0",  # a number that is longer than it need be
        b"\0\1" + b"\xff" * 9 + b"\x20",  # a number of more than 63 bits
        b"\1\0",
    ],
)
def test_an_index_that_lies_is_refused(body: bytes) -> None:
    data = with_index(body)
    assert index_fault(data).code == "CompressedDamaged"


def test_an_index_that_announces_too_many_blocks_is_not_read() -> None:
    data = with_index(b"\0\x81\x80\x80\x01" + bytes(20))
    reader = XzBlockReader(at(data), len(data))
    assert (len(reader.blocks), reader.plain_size) == (0, None)


def test_too_much_padding_or_too_many_streams_are_left_to_the_stream_decoder() -> None:
    for data in (BLOCKS + bytes(1 << 20), tool("xz -0c", b"") * 2000):
        reader = XzBlockReader(at(data), len(data))
        assert (len(reader.blocks), reader.plain_size) == (0, None)


def test_a_file_of_zeros_is_no_xz() -> None:
    assert index_fault(bytes(4096)).code == "CompressedDamaged"
