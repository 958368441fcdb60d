"""Damaged compressed files: the only outcomes are a Fault, and bytes that an independent decoder gives too."""

from __future__ import annotations

import gzip
import random
import subprocess

import pytest
from support.fuzzing import chances, mutated
from support.packed import drain, feed, some_plain, tool

from cdi.base.faults import Fault
from importer.decode.registry import open_decoder
from importer.decode.xz_blocks import XzBlockReader

PLAIN = some_plain(60_000)
PARTS = (PLAIN[:20_000], b"", PLAIN[20_000:])
SEEDS = {
    "gz": [b"".join(tool("gzip -c", part) for part in PARTS), tool("gzip -9c", PLAIN)],
    "zst": [tool("zstd -c", PLAIN), tool("pzstd -p1 -c", PLAIN), b"".join(tool("zstd -c", part) for part in PARTS)],
    "xz": [tool("xz -0c -T1 --block-size=16KiB", PLAIN), b"".join(tool("xz -0c", part) + bytes(8) for part in PARTS)],
}
_MOST = 64 << 20


def outcome(format: str, data: bytes, chance: random.Random) -> bytes | None:
    """The plain bytes, at most 64 MiB of them; None for a Fault. Everything else is an error of the test."""
    decoder = open_decoder(format, feed(data, lambda: chance.choice((1, 100, 4096, 1 << 20))))
    out, buffer = bytearray(), memoryview(bytearray(chance.choice((512, 65536, 1 << 20))))
    try:
        while (count := decoder.readinto(buffer)) and len(out) < _MOST:
            out += buffer[:count]
    except Fault as fault:
        if fault.code in ("CompressedTruncated", "CompressedDamaged", "CompressedTrailing", "MemoryLimit"):
            return None
        raise
    assert decoder.consumed == len(data)
    return bytes(out)


def theirs(format: str, data: bytes) -> bytes:
    match format:
        case "gz":
            return gzip.decompress(data)
        case _:  # not lzma.decompress: it ends at stream padding
            command = {"xz": "xz", "zst": "zstd"}[format]
            return subprocess.run([command, "-dc"], input=data, capture_output=True, check=True).stdout


@pytest.mark.parametrize("format", ["gz", "zst", "xz"])
def test_a_damaged_file_is_refused_or_right(format: str) -> None:
    accepted = refused = 0
    for number, chance in chances():
        data = mutated(chance.choice(SEEDS[format]), chance)
        plain = outcome(format, data, chance)
        if plain is None:
            refused += 1
        else:
            accepted += 1
            assert plain == theirs(format, data), f"FUZZ_CASE={number}"
    assert refused + accepted > 0


def test_a_damaged_index_is_refused_or_leads_to_the_right_bytes() -> None:
    tried = 0
    for number, chance in chances():
        seed = chance.choice(SEEDS["xz"])
        data = mutated(seed[-200:], chance)
        data = mutated(seed, chance) if chance.random() < 0.3 else seed[:-200] + data
        tried += 1
        try:
            reader = XzBlockReader(lambda offset, length, data=data: data[offset : offset + length], len(data))
            plain = b"".join(drain(reader.open_block(block)) for block in reader.blocks)
        except Fault:
            continue
        if reader.plain_size is not None and reader.blocks:
            assert PLAIN.startswith(plain) or plain == theirs("xz", data), f"FUZZ_CASE={number}"
    assert tried > 0
