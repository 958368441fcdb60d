"""What is encoded is decoded alike, whole or in parts; what breaks a rule is refused with a sentence."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.extents import Pieces, decoded, packed, stream_of

from cdi.base.wire.extents.decoder import Decoder
from cdi.base.wire.extents.encoder import Encoder, plain_length
from cdi.base.wire.extents.frames import (
    DIGEST_SIZE,
    HEADER_SIZE,
    LARGEST,
    LONGEST,
    START,
    Header,
    Kind,
    Malformed,
    Mark,
    crc32,
)

SIZE = 1 << 20
TWO: Pieces = [(0, b"a" * 5000), (65536, b"b" * 4096)]


@st.composite
def disks(draw: st.DrawFn) -> tuple[int, Pieces]:
    pieces, at = [], 0
    for gap, data in draw(st.lists(st.tuples(st.integers(0, 5000), st.binary(min_size=1, max_size=2000)), max_size=8)):
        pieces.append((at + gap, data))
        at += gap + len(data)
    return at + draw(st.integers(0, 5000)), pieces


@given(disks(), st.booleans(), st.lists(st.integers(1, 500), max_size=50))
def test_every_disk_comes_back_however_the_stream_is_cut(
    disk: tuple[int, Pieces], is_packed: bool, steps: list[int]
) -> None:
    size, pieces = disk
    data = stream_of(size, pieces, packed if is_packed else None)
    decoder = Decoder(None)
    assert list(decoded(decoder, data, steps)) == pieces
    assert (decoder.size, decoder.mark.position) == (size, len(data))
    assert decoder.mark.count == sum(len(each) for _, each in pieces)
    if not is_packed:
        assert len(data) == plain_length(len(pieces), decoder.mark.count)


@given(disks(), st.data())
def test_another_encoder_and_decoder_go_on_between_any_two_frames(
    disk: tuple[int, Pieces], data: st.DataObject
) -> None:
    size, pieces = disk
    whole, cut = stream_of(size, pieces), data.draw(st.integers(0, len(pieces)))
    first = Encoder(size)
    sent = b"".join([first.head(), *(part for piece in pieces[:cut] for part in first.extent(*_viewed(piece)))])
    decoder = Decoder(size)
    with pytest.raises(Malformed, match="cut off"):
        list(decoded(decoder, sent))
    assert decoder.mark == first.mark
    second = Encoder(size, first.mark)
    rest = b"".join([*(part for piece in pieces[cut:] for part in second.extent(*_viewed(piece))), second.end()])
    assert sent + rest == whole
    assert list(decoded(Decoder(size, decoder.mark), rest)) == pieces[cut:]


def test_an_extent_of_the_greatest_length_is_not_copied_when_it_is_sent_plain() -> None:
    data = memoryview(bytes(LONGEST))
    encoder = Encoder(LONGEST)
    encoder.head()
    assert encoder.extent(0, data)[1] is data


def test_what_hardly_becomes_smaller_is_sent_plain() -> None:
    encoder = Encoder(SIZE, compress=lambda data: bytes(len(data) - 1))
    assert encoder.extent(0, memoryview(b"abc" * 100))[1] == b"abc" * 100


@pytest.mark.parametrize(("offset", "length"), [(4, 1), (5, 0), (5, LONGEST + 1), (SIZE, 1), (SIZE - 1, 2)])
def test_an_encoder_sends_nothing_that_would_be_refused(offset: int, length: int) -> None:
    encoder = Encoder(SIZE, Mark(position=100, reached=5))
    with pytest.raises(ValueError, match="no next extent"):
        encoder.extent(offset, memoryview(bytes(length)))


@pytest.mark.parametrize("size", [-1, LARGEST + 1])
def test_an_encoder_takes_no_size_that_no_disk_has(size: int) -> None:
    with pytest.raises(ValueError, match="no size"):
        Encoder(size)


def test_a_stream_that_goes_on_needs_the_size_of_its_disk() -> None:
    with pytest.raises(ValueError, match="needs the size"):
        Decoder(None, Mark(position=HEADER_SIZE))


HEAD = Header(Kind.HEAD, 0, SIZE).encode()
DATA = Header(Kind.DATA, 8, 3, 3, crc32(b"abc")).encode() + b"abc"
PACKED = packed(memoryview(b"abc" * 100))


def _zstd(length: int, payload: bytes, crc: int = 0) -> bytes:
    return Header(Kind.ZSTD, 0, length, len(payload), crc).encode() + payload


def _end(size: int, count: int, chain: bytes) -> bytes:
    return Header(Kind.END, size, count, len(chain), crc32(chain)).encode() + chain


def _unknown() -> bytes:
    fields = struct.pack("!4sIQQI", b"hole", 0, 0, 1, 1)
    return fields + crc32(fields).to_bytes(4, "big")


REFUSED = {
    "no head": (DATA, "one head"),
    "two heads": (HEAD + HEAD, "one head"),
    "another size": (Header(Kind.HEAD, 0, SIZE + 1).encode(), "agreed on"),
    "a head with a payload": (Header(Kind.HEAD, 0, SIZE, 1).encode(), "no head can"),
    "a head with an offset": (Header(Kind.HEAD, 1, SIZE).encode(), "no head can"),
    "a disk beyond all files": (Header(Kind.HEAD, 0, LARGEST + 1).encode(), "no head can"),
    "an unknown kind": (HEAD + _unknown(), "no kind"),
    "a damaged header": (HEAD + DATA[:9] + b"x" + DATA[10:], "header"),
    "damaged data": (HEAD + DATA[:-1] + b"x", "CRC-32"),
    "an extent twice": (HEAD + DATA + DATA, "comes after one that ends at 11"),
    "overlap": (HEAD + DATA + Header(Kind.DATA, 10, 3, 3).encode(), "comes after"),
    "descending": (HEAD + DATA + Header(Kind.DATA, 0, 3, 3).encode(), "comes after"),
    "behind the size": (HEAD + Header(Kind.DATA, SIZE - 1, 2, 2).encode(), "behind the disk"),
    "far behind the size": (HEAD + Header(Kind.DATA, 2**64 - 1, 2, 2).encode(), "behind the disk"),
    "nothing": (HEAD + Header(Kind.DATA, 0, 0, 0).encode(), "is not one of"),
    "too much": (HEAD + Header(Kind.DATA, 0, LONGEST + 1, LONGEST + 1).encode(), "is not one of"),
    "more stored than plain": (HEAD + Header(Kind.DATA, 0, 3, 4).encode(), "are no DATA"),
    "compressed to as much": (HEAD + Header(Kind.ZSTD, 0, 300, 300).encode(), "are no ZSTD"),
    "compressed to nothing": (HEAD + Header(Kind.ZSTD, 0, 300, 0).encode(), "are no ZSTD"),
    "a bomb": (HEAD + _zstd(299, packed(memoryview(bytes(LONGEST)))), "speaks of"),
    "no zstd": (HEAD + _zstd(300, b"abc" * 9), "damaged"),
    "zstd that is cut off": (HEAD + _zstd(300, PACKED[:-1]), "damaged"),
    "zstd and more": (HEAD + _zstd(300, PACKED + b"abc"), "damaged"),
    "zstd of other data": (HEAD + _zstd(300, PACKED), "CRC-32"),
    "an end for another count": (HEAD + DATA + _end(SIZE, 4, bytes(32)), "3 bytes of data came"),
    "an end for another size": (HEAD + DATA + _end(SIZE - 1, 3, bytes(32)), "3 bytes of data came"),
    "an end without a digest": (HEAD + DATA + _end(SIZE, 3, b""), "3 bytes of data came"),
    "another digest": (HEAD + DATA + _end(SIZE, 3, bytes(32)), "digest"),
    "bytes behind the end": (stream_of(SIZE, TWO) + b"\0", "after the end"),
    "no bytes": (b"", "cut off after 0 bytes"),
}


@pytest.mark.parametrize(("data", "why"), REFUSED.values(), ids=list(REFUSED))
def test_what_breaks_a_rule_is_refused(data: bytes, why: str) -> None:
    with pytest.raises(Malformed, match=why):
        list(decoded(Decoder(SIZE), data))


def test_a_stream_is_whole_only_with_its_last_byte() -> None:
    whole = stream_of(SIZE, TWO)
    for length in range(len(whole) - DIGEST_SIZE - HEADER_SIZE, len(whole)):
        with pytest.raises(Malformed, match="cut off"):
            list(decoded(Decoder(SIZE), whole[:length]))


def test_more_than_there_was_room_for_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="room"):
        Decoder(SIZE, START).took(HEADER_SIZE + 1)


def _viewed(piece: tuple[int, bytes]) -> tuple[int, memoryview]:
    return piece[0], memoryview(piece[1])
