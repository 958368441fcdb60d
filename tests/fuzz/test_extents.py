"""Streams of extents that somebody has damaged, or made up: refused, or a disk that keeps every rule."""

from __future__ import annotations

import random

from support.extents import Pieces, decoded, packed, stream_of
from support.fuzzing import chances, mutated

from cdi.base.wire.extents.decoder import Decoder
from cdi.base.wire.extents.frames import HEADER_SIZE, Header, Kind, Malformed, crc32

SIZE = 1 << 17


def pieces_of(chance: random.Random) -> Pieces:
    found, at = [], 0
    while (at := at + chance.choice((0, 1, 4096, 30_000))) < SIZE and len(found) < 6:
        data = chance.randbytes(min(chance.choice((1, 512, 9000)), SIZE - at))
        found.append((at, data if chance.random() < 0.5 else bytes(len(data))))
        at += len(data)
    return found


def made_up(chance: random.Random) -> bytes:
    """Frames with sound checksums that say anything."""
    out, numbers = (
        [Header(Kind.HEAD, 0, SIZE).encode()],
        (0, 1, 31, 32, 5000, SIZE - 1, SIZE, 1 << 20, 2**63, 2**64 - 1),
    )
    for _ in range(chance.randrange(6)):
        payload = chance.choice((b"", chance.randbytes(32), packed(memoryview(bytes(5000))), bytes(SIZE)))
        length = len(payload) if chance.random() < 0.5 else chance.choice(numbers)
        crc = chance.choice((crc32(payload), crc32(bytes(5000))))
        stored = len(payload) if chance.random() < 0.8 else chance.randrange(1 << 32)
        out += [Header(chance.choice(list(Kind)), chance.choice(numbers), length, stored, crc).encode(), payload]
    return b"".join(out)


def test_a_stream_is_refused_or_keeps_every_rule() -> None:
    whole = refused = 0
    for number, chance in chances():
        pieces = pieces_of(chance)
        data = stream_of(SIZE, pieces, packed if chance.random() < 0.5 else None)
        kind = chance.randrange(4)
        if kind == 0:
            data = mutated(data, chance)
        elif kind == 1:
            data = made_up(chance)
        steps = [chance.choice((1, 7, HEADER_SIZE, 4096)) for _ in range(100)]
        at = 0
        try:
            for offset, content in decoded(Decoder(SIZE), data, steps):
                assert at <= offset < offset + len(content) <= SIZE, f"FUZZ_CASE={number}"
                if kind != 1:  # whose checksums vouch for nothing
                    assert (offset, content) in pieces, f"FUZZ_CASE={number}"
                at = offset + len(content)
            whole += 1
        except Malformed:
            assert kind < 2, f"FUZZ_CASE={number}"
            refused += 1
    assert whole and refused
