"""One connection of a client, as aiohttp has it, but for what it does with a client that does not speak HTTP."""

from __future__ import annotations

import asyncio
import contextlib
import logging

from aiohttp import web
from aiohttp.http_exceptions import TransferEncodingError

from uploadproxy.proxy.refusal import told

log = logging.getLogger(__name__)

# What the library itself logs are clients that go away or send nonsense, each with a traceback. Bugs of ours are logged
# by what answers requests.
UNHEARD = logging.getLogger(f"{__name__}.library")
UNHEARD.disabled = True
LINGER_S = 10.0  # what is sent to one that was refused is read for so long: else the refusal is not
HEAD_S = 10.0  # the contract's: for a handshake, and then for the head of a connection's first request
LARGEST_HEADERS, LARGEST_HEADER = 128, 8190  # a count, and bytes


class Turned(asyncio.Protocol):
    """One too many."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        transport.abort()


class _LastAnswer(web.Response):
    """Nothing that comes after it is read as a request. The connection ends when the client has gone, or ``LINGER_S``
    later: a connection that is closed with bytes unread takes the answer with it."""

    def __init__(self, answer: web.Response, gone: asyncio.Event) -> None:
        super().__init__(status=answer.status, text=answer.text, headers=answer.headers)
        self.force_close()
        self._gone = gone

    async def write_eof(self, data: bytes = b"") -> None:
        await super().write_eof(data)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._gone.wait(), LINGER_S)


class Connection(web.RequestHandler):
    _head_timer: asyncio.TimerHandle | None = None
    _write_timer: asyncio.TimerHandle | None = None
    _is_deaf = False
    _gone: asyncio.Event

    @property
    def is_idle(self) -> bool:
        """No request of it is being answered, and it is not being closed."""
        return not self._request_in_progress and self.transport is not None

    def make_room(self) -> None:
        """At once: to close it in order would wait for its client."""
        if self.transport is not None:
            self.transport.abort()
        self.force_close()

    def pause_writing(self) -> None:
        """Answers are short: whoever does not read them holds a place, and has ``HEAD_S``."""
        super().pause_writing()
        if self.transport is not None and self._write_timer is None:
            self._write_timer = asyncio.get_running_loop().call_later(HEAD_S, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_write_timer()
        super().resume_writing()

    def _stop_write_timer(self) -> None:
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._gone = asyncio.Event()
        self._head_timer = asyncio.get_running_loop().call_later(HEAD_S, self.force_close)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        super().data_received(data)
        if self._head_timer is not None and self._request_count:
            self._head_timer.cancel()
            self._head_timer = None
        running = self._current_request
        if self._messages and running is not None and not running.content.is_eof():
            # Nothing can follow an unfinished body: what did is the parser's complaint about it, of which the library
            # tells whoever reads the body nothing.
            running.content.set_exception(TransferEncodingError("what a chunk begins with is no length"))

    def connection_lost(self, exc: BaseException | None) -> None:
        self._gone.set()
        self._stop_write_timer()
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """For what is no request, and for a client that is gone. Nothing is quoted: a token may be in it."""
        log.info("%s: %s", request.remote, type(exc).__name__)
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun")
        limits = f"at most {LARGEST_HEADERS} headers of {LARGEST_HEADER} bytes each are taken"
        answer = told(status, f"the request cannot be read as HTTP/1.1 ({type(exc).__name__}): {limits}")
        answer.headers.update({"Access-Control-Allow-Origin": "*", "Vary": "Origin"})
        self._is_deaf = True
        return _LastAnswer(answer, self._gone)
