"""Texts that parsers choke on: long runs, repeated fragments, deep nesting, digits without end, half characters."""

from __future__ import annotations

import random
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

_FRAGMENTS = (
    *("1", "9", "0", ".", "1.", ".1", "-", "+", "e", "E", "1e", "Ki", "Gi", "n", "1h", "1h1m", "ns", "us", "µs"),
    *(",", "1,", "1-", "*/", "*/1,", "? ", "jan-", "mon ", "@", " ", "\t", "\n", "\r\n", "\0", "\x1b[31m", "\u202e"),
    *(
        "[",
        "]",
        "[[],",
        "{",
        '{"a":',
        '{"message":',
        '"',
        '\\"',
        "\\u0000",
        "\\ud800",
        '","',
        "null,",
        "true",
        "1e999,",
    ),
    *(
        "http://",
        "//",
        "/",
        ":",
        "@",
        "%",
        "%4",
        "[::",
        "a",
        "a.",
        "A",
        "[A",
        "[Ab] ",
        "\u0661",
        "\u00b2",
        "🙂",
        "\udc80",
    ),
    *("2026-01-01T00:00:00Z", "sha256:", "docker://", "back-off ", "1m", "0x", "_", "x.kubevirt.io/"),
)
_ENDS = ("", "", "x", "Gi", "h", "]", "}", '"', "] ", " * * * *", "s restarting", "Z", "%", "\n")


def long_text(chance: random.Random, most: int) -> str:
    """Up to ``most`` characters: half of the texts are that long, the others shorter than 100."""
    length = most if chance.random() < 0.5 else chance.randrange(100)
    parts = chance.choices(_FRAGMENTS, k=chance.choice((1, 1, 2, 3, 8)))
    unit = "".join(parts)
    start = "".join(chance.choices(_FRAGMENTS, k=chance.randrange(3)))
    end = chance.choice(_ENDS)
    return (start + unit * (length // len(unit) + 1))[: max(0, length - len(end))] + end


@contextmanager
def little_time(seconds: float, about: object) -> Iterator[None]:
    """CPU seconds of this process that the body may take; what other processes do to the clock does not count."""
    began = time.process_time()
    yield
    took = time.process_time() - began
    assert took < seconds, f"{took:.2f} s of CPU for {about}"


@contextmanager
def little_memory(most: int, about: object) -> Iterator[None]:
    """Bytes that Python may hold at a time in the body, beside what it held before."""
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < most, f"{peak:,} bytes for {about}"
