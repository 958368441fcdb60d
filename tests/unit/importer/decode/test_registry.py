"""What holds for every decoder, on files of the real tools."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest
from support.packed import drain, feed, some_plain, tool, unpack

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.decode.registry import open_decoder

PLAIN = some_plain(700 * KiB)
SHORT = PLAIN[: 150 * KiB]
ONE = {
    "gzip": ("gz", "gzip -6c"),
    "pigz with several blocks": ("gz", "pigz -p2 -b128 -c"),
    "zstd with checksum": ("zst", "zstd -3 -c --check"),
    "zstd without checksum": ("zst", "zstd -3 -c --no-check"),
    "xz": ("xz", "xz -1c"),
    "xz with several blocks": ("xz", "xz -1c -T2 --block-size=32KiB"),
    "xz with crc32": ("xz", "xz -1c --check=crc32"),
    "xz with sha256": ("xz", "xz -1c --check=sha256"),
    "xz with a filter": ("xz", "xz -c --x86 --lzma2=preset=1"),
}
MANY = {
    "gzip members": ("gz", "gzip -6c"),
    "zstd frames": ("zst", "zstd -3c"),
    "pzstd frames": ("zst", "pzstd -p1 -3 -c"),
    "xz streams": ("xz", "xz -1c"),
}
one = pytest.mark.parametrize(("format", "command"), ONE.values(), ids=list(ONE))
checked = pytest.mark.parametrize(
    ("format", "command"), [case for name, case in ONE.items() if "without checksum" not in name]
)
many = pytest.mark.parametrize(("format", "command"), MANY.values(), ids=list(MANY))


REFUSALS = ("CompressedTruncated", "CompressedDamaged", "CompressedTrailing", "MemoryLimit")


def outcome_of(format: str, data: bytes) -> bytes | str:
    """The plain bytes, or the code of the fault."""
    try:
        return unpack(format, data)
    except Fault as fault:
        return fault.code


def fault_of(format: str, data: bytes) -> Fault:
    with pytest.raises(Fault) as caught:
        unpack(format, data)
    return caught.value


@one
def test_gives_what_was_packed_and_counts_it(format: str, command: str) -> None:
    packed = tool(command, PLAIN)
    decoder = open_decoder(format, feed(packed))
    assert drain(decoder) == PLAIN
    assert (decoder.consumed, decoder.produced, decoder.boundary()) == (len(packed), len(PLAIN), None)


@one
def test_does_not_care_how_the_bytes_arrive(format: str, command: str) -> None:
    packed = tool(command, PLAIN[: 200 * KiB])
    chance = random.Random(4)
    assert unpack(format, packed, lambda: chance.choice((1, 2, 3, 50, 3000))) == PLAIN[: 200 * KiB]


@one
def test_does_not_care_how_small_the_buffer_is(format: str, command: str) -> None:
    packed = tool(command, PLAIN[: 100 * KiB])
    assert drain(open_decoder(format, feed(packed)), step=77) == PLAIN[: 100 * KiB]


@one
def test_a_cut_anywhere_is_an_error(format: str, command: str) -> None:
    packed = tool(command, SHORT)
    chance = random.Random(7)
    cuts = {0, 1, 2, 3, 5, 11, 12, 13, len(packed) - 1, len(packed) - 2, len(packed) - 4, len(packed) - 9}
    cuts |= {chance.randrange(len(packed)) for _ in range(100 - len(cuts))}
    assert {cut: fault_of(format, packed[:cut]).code for cut in cuts} == dict.fromkeys(cuts, "CompressedTruncated")


@one
def test_a_cut_file_first_gives_what_it_holds(format: str, command: str) -> None:
    packed = tool(command, PLAIN)
    decoder = open_decoder(format, feed(packed[: len(packed) - 3]))
    out = bytearray()
    with pytest.raises(Fault, match="CompressedTruncated"):
        drain(decoder, out=out)
    assert PLAIN.startswith(out)
    assert len(out) > len(PLAIN) - 200 * KiB


@checked
def test_a_flipped_bit_is_never_taken_for_the_original(format: str, command: str) -> None:
    packed = tool(command, SHORT)
    chance = random.Random(9)
    for _ in range(40):
        damaged = bytearray(packed)
        damaged[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
        outcome = outcome_of(format, bytes(damaged))
        # The original: for instance the time stamp of a gzip header was hit.
        assert outcome == SHORT or outcome in REFUSALS


@one
def test_other_bytes_behind_the_end_are_refused(format: str, command: str) -> None:
    packed = tool(command, PLAIN)
    for junk in (b"\1", b"junk that is longer than any magic number"):
        fault = fault_of(format, packed + junk)
        assert (fault.code, fault.values["got"]) == ("CompressedTrailing", len(packed))


@many
def test_parts_one_after_the_other_are_one_stream(format: str, command: str) -> None:
    parts = [PLAIN[:1000], b"", PLAIN[1000:200000], b"x", PLAIN[200000:]]
    packed = b"".join(tool(command, part) for part in parts)
    assert unpack(format, packed) == PLAIN[:200000] + b"x" + PLAIN[200000:]


@many
def test_a_fresh_decoder_at_the_boundary_gives_the_rest(format: str, command: str) -> None:
    parts = [PLAIN[start : start + 50000] for start in range(0, len(PLAIN), 50000)]
    packed = b"".join(tool(command, part) for part in parts)
    decoder = open_decoder(format, feed(packed))
    seen = set()
    buffer = memoryview(bytearray(7000))
    assert decoder.boundary() is None
    while decoder.readinto(buffer):
        if (found := decoder.boundary()) and found not in seen:
            seen.add(found)
            assert found[1] <= decoder.produced
            assert unpack(format, packed[found[0] :]) == PLAIN[found[1] :]
    assert {plain for _, plain in seen} == set(range(50000, len(PLAIN), 50000))


@pytest.mark.parametrize("format", ["gz", "zst", "xz"])
def test_a_file_of_another_kind_is_refused(format: str) -> None:
    assert fault_of(format, b"<!DOCTYPE html>").code == "CompressedDamaged"


@pytest.mark.parametrize("format", ["gz", "zst", "xz"])
def test_a_bomb_runs_through_in_flat_memory(format: str, tmp_path: Path) -> None:
    packer = {"gz": "gzip -9c", "zst": "zstd -1c", "xz": "xz -1c"}[format]
    bomb = tmp_path / "bomb"
    bomb.write_bytes(tool(packer, bytes(8 * MiB)) * 16)
    code = f"""
import re, resource
from pathlib import Path
from importer.decode.registry import open_decoder
def peak():  # not ru_maxrss: that begins with the peak of whoever started this process
    return int(re.search("VmHWM:\\s*([0-9]+)", Path("/proc/self/status").read_text())[1])
with open({str(bomb)!r}, "rb", buffering=0) as file:
    decoder = open_decoder({format!r}, file.readinto)
    buffer = memoryview(bytearray(1 << 20))
    decoder.readinto(buffer)
    before = peak()
    resource.setrlimit(resource.RLIMIT_AS, (400 << 20, 400 << 20))
    while decoder.readinto(buffer):
        pass
    print(decoder.produced, peak() - before)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    produced, growth_kib = map(int, done.stdout.split())
    assert produced == 128 * MiB
    assert growth_kib < 8 * KiB
