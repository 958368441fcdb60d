"""Bounded fuzzing: so many seconds of cases, each made by a chance that its number alone decides."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator


def chances(default_seconds: float = 5.0) -> Iterator[tuple[int, random.Random]]:
    """(number, chance) for FUZZ_SECONDS (environment), else ``default_seconds``. FUZZ_CASE=n gives that one only."""
    if "FUZZ_CASE" in os.environ:
        number = int(os.environ["FUZZ_CASE"])
        yield number, random.Random(number)
        return
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", default_seconds))
    number = 0
    while time.monotonic() < end:
        yield number, random.Random(number)
        number += 1


def seed() -> int:
    """What a test draws its inputs from: another one at every call, printed with the failure; FUZZ_SEED=n gives n."""
    found = int(os.environ.get("FUZZ_SEED") or random.SystemRandom().randrange(1 << 48))
    print(f"FUZZ_SEED={found}")
    return found


def mutated(data: bytes, chance: random.Random) -> bytes:
    """``data`` with one to four bits, bytes or stretches changed, removed, repeated or cut off."""
    out = bytearray(data)
    for _ in range(chance.randrange(1, 5)):
        at = chance.randrange(len(out) + 1)
        length = chance.choice((1, 2, 4, 8, 64, 512, 4096))
        match chance.randrange(6):
            case 0 if at < len(out):
                out[at] ^= 1 << chance.randrange(8)
            case 1:
                out[at : at + length] = chance.randbytes(len(out[at : at + length]))
            case 2:
                del out[at : at + length]
            case 3:
                out[at:at] = out[at : at + length]
            case 4:
                out[at : at + length] = chance.choice((b"\0", b"\xff")) * len(out[at : at + length])
            case _:
                if chance.random() < 0.2:
                    del out[at:]
    return bytes(out)


def seeded(default_seconds: float, most: int) -> Iterator[tuple[int, random.Random]]:
    """(seed, chance), another one in every run, for FUZZ_SECONDS (environment) or so many seconds and cases. At least
    one comes, however busy the machine is. FUZZ_SEED=n gives that one only."""
    if "FUZZ_SEED" in os.environ:
        seed = int(os.environ["FUZZ_SEED"])
        yield seed, random.Random(seed)
        return
    longer = "FUZZ_SECONDS" in os.environ
    end = time.monotonic() + float(os.environ.get("FUZZ_SECONDS", default_seconds))
    number = 0
    while number == 0 or (time.monotonic() < end and (longer or number < most)):
        seed = random.SystemRandom().randrange(1 << 48)
        yield seed, random.Random(seed)
        number += 1
