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
            if rest:
                yield bytes(rest)
                rest.clear()
        rest += tail
        while len(rest) > limit:
            yield bytes(rest[:limit])
            del rest[:limit]
    if rest:
        yield bytes(rest)
