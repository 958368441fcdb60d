"""Lines of a stream of chunks: watch events and logs are one document or message per line."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable


async def lines(chunks: AsyncIterable[bytes], limit: int) -> AsyncGenerator[bytes, None]:
    """Without line ends and empty lines; the last needs no end. What exceeds ``limit`` bytes comes in pieces.

    (aiohttp's own ``readline`` raises above twice its buffer, 512 KiB; an object may have 1.5 MiB and more.)
    """
    rest = bytearray()
    async for chunk in chunks:
        *complete, tail = chunk.split(b"\n")
        for line in complete:
            rest += line
            for piece in _cut(rest, limit):
                yield piece
            if rest:
                yield bytes(rest)
                rest.clear()
        rest += tail
        for piece in _cut(rest, limit):
            yield piece
    if rest:
        yield bytes(rest)


def _cut(rest: bytearray, limit: int) -> list[bytes]:
    """What of ``rest`` is too much for one line, in pieces; ``limit`` bytes at most are left."""
    end = max(0, len(rest) - 1) // limit * limit
    pieces = [bytes(rest[start : start + limit]) for start in range(0, end, limit)]
    del rest[:end]
    return pieces
