from __future__ import annotations

import pytest
import zstandard
from support.packed import feed, some_plain, tool, unpack

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.decode.registry import open_decoder
from importer.decode.zstd_frame import FrameHeader, parse_frame_header

PLAIN = some_plain(300_000)
SKIPPABLE = b"\x5a\x2a\x4d\x18" + (9).to_bytes(4, "little") + b"my notes."


def frame(window_byte: int) -> bytes:
    """A frame of one raw block with the byte 'a', and a window descriptor of one's choice."""
    return b"\x28\xb5\x2f\xfd" + bytes((0, window_byte)) + b"\x09\x00\x00a"


def test_the_library_would_accept_a_cut_file() -> None:
    """The reason for following the frames; when this fails, the scanner can go."""
    packed = zstandard.ZstdCompressor().compress(PLAIN)
    reader = zstandard.ZstdDecompressor().stream_reader(packed[:-1000])
    assert len(reader.read()) < len(PLAIN)


@pytest.mark.parametrize("packed", [SKIPPABLE + tool("zstd -c", PLAIN), tool("zstd -c", PLAIN) + SKIPPABLE])
def test_skippable_frames_are_skipped(packed: bytes) -> None:
    assert unpack("zst", packed) == PLAIN


@pytest.mark.parametrize("cut", [1, 3, 4, 7, 8, 12])
def test_a_cut_skippable_frame_is_an_error(cut: int) -> None:
    with pytest.raises(Fault, match="CompressedTruncated"):
        unpack("zst", tool("zstd -c", PLAIN) + SKIPPABLE[:cut])


def test_a_window_of_64_mib_is_the_largest() -> None:
    assert unpack("zst", frame(16 << 3)) == b"a"


@pytest.mark.parametrize(("byte", "needed"), [(16 << 3 | 1, 72 * MiB), (17 << 3, 128 * MiB), (0xFF, 15 << 38)])
def test_a_larger_window_is_refused_before_decoding(byte: int, needed: int) -> None:
    with pytest.raises(Fault) as caught:
        unpack("zst", frame(byte))
    assert caught.value.code == "MemoryLimit"
    assert (caught.value.values["needed"], caught.value.values["limit"]) == (needed, 64 * MiB)


@pytest.mark.parametrize("level", [1, 3, 19])
@pytest.mark.parametrize("size", [0, 1, 255, 256, 65791, 65792, 300_000])
def test_headers_are_understood_as_the_library_does(level: int, size: int) -> None:
    packed = zstandard.ZstdCompressor(level=level, write_checksum=size % 2 == 0).compress(PLAIN[:size])
    theirs = zstandard.get_frame_parameters(packed)
    header = parse_frame_header(packed[:18])
    assert header == FrameHeader(
        zstandard.frame_header_size(packed), theirs.window_size, theirs.content_size, theirs.has_checksum
    )


def test_the_reserved_block_type_is_damage() -> None:
    with pytest.raises(Fault, match="reserved type"):
        unpack("zst", b"\x28\xb5\x2f\xfd\x00\x00\x0f\x00\x00a")


def test_many_small_frames_give_what_was_packed() -> None:
    packed = b"".join(zstandard.ZstdCompressor().compress(b"%d" % i) for i in range(5000))
    decoder = open_decoder("zst", feed(packed))
    assert unpack("zst", packed) == b"".join(b"%d" % i for i in range(5000))
    assert decoder.boundary() is None
