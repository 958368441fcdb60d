"""What a client sends, passed on as it comes: nothing of it is kept, and what is not taken yet holds the client up."""

from __future__ import annotations

from collections.abc import AsyncIterator

from aiohttp import HttpVersion11, web

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"


class Body:
    """``taken``: bytes so far. ``failure``: why the client's side ended before its end, if it did."""

    def __init__(self, request: web.Request) -> None:
        self.taken = 0
        self.failure: Exception | None = None
        self._request = request

    @property
    def is_whole(self) -> bool:
        """Whether there is nothing more to come."""
        return self.failure is None and self._request.content.at_eof()

    async def chunks(self) -> AsyncIterator[bytes]:
        """Raises ``failure``: whoever sends these on must not end as if they were all."""
        await self._invite()
        try:
            async for chunk in self._request.content.iter_any():
                self.taken += len(chunk)
                yield chunk
        except Exception as failure:
            self.failure = failure
            raise

    async def _invite(self) -> None:
        """Whoever asked first whether to send is told now: the server is there, and the token was good."""
        if self._request.headers.get("Expect", "").lower() == "100-continue" and self._request.version == HttpVersion11:
            await self._request.writer.write(_CONTINUE)
            self._request.writer.output_size = 0  # of the answer, which has not begun


async def no_invitation(_: web.Request) -> None:
    """In place of aiohttp's own, which invites before anything was looked at."""
