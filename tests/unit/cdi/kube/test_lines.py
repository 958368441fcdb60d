from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

from hypothesis import given
from hypothesis import strategies as st

from cdi.kube.lines import lines


def collected(chunks: list[bytes], limit: int = 1 << 20) -> list[bytes]:
    async def stream() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def collect() -> list[bytes]:
        return [line async for line in lines(stream(), limit)]

    return asyncio.run(collect())


@given(st.lists(st.binary(max_size=8)))
def test_how_the_bytes_are_cut_does_not_matter(chunks: list[bytes]) -> None:
    assert collected(chunks) == [line for line in b"".join(chunks).split(b"\n") if line]


def test_too_long_a_line_comes_in_pieces() -> None:
    assert collected([b"abcdefg", b"h\ni"], limit=3) == [b"abc", b"def", b"gh", b"i"]
