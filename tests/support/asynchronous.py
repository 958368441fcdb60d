"""Tests that are coroutines."""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Awaitable, Callable
from typing import ParamSpec

P = ParamSpec("P")

LONGEST_S = 240


def asynchronous(test: Callable[P, Awaitable[None]]) -> Callable[P, None]:
    @functools.wraps(test)
    def run(*arguments: P.args, **named: P.kwargs) -> None:
        async def limited() -> None:
            async with asyncio.timeout(LONGEST_S):
                await test(*arguments, **named)

        asyncio.run(limited())

    return run


async def until(holds: Callable[[], bool], limit_s: float = 30) -> None:
    """Looks again every 10 ms: for conditions of another program, which nobody announces."""
    async with asyncio.timeout(limit_s):
        while not holds():  # noqa: ASYNC110 - see above
            await asyncio.sleep(0.01)
