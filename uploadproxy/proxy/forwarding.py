"""Passes one request on to an upload server, and its answer back."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import dataclass

import aiohttp
from aiohttp import web
from yarl import URL

from cdi.base.faults import Fault
from uploadproxy.proxy import headers
from uploadproxy.proxy.body import Body
from uploadproxy.proxy.refusal import Refusal
from uploadproxy.proxy.upstream import Upstream

_STEP_S = 0.25
_CONTRACT = "error in upload-proxy: http: proxy error:"


@dataclass(frozen=True, slots=True)
class Passage:
    """``patience_s``: for how long a server that is not there yet is tried. A name is known, and an address answers, a
    moment after the pod is ready."""

    upstream: Upstream
    patience_s: float = 5.0

    async def pass_on(self, request: web.Request, host: str, path: str) -> web.StreamResponse:
        """The answer, sent. Raises Refusal where none came, and ConnectionError where nobody is there to be told."""
        body = Body(request)
        try:
            answer = await self._opened(request, body, host, path)
        except (aiohttp.ClientError, OSError) as cause:
            raise _told(cause, body, host) from cause
        try:
            return await _returned(request, body, answer)
        finally:
            # What is still on its way to the server stays here: it has answered.
            answer.close()
            await answer.wait_for_close()

    async def _opened(self, request: web.Request, body: Body, host: str, path: str) -> aiohttp.ClientResponse:
        """Tries again only what has not begun: of a body that was read nothing is left to send."""
        context = await self.upstream.trust()
        query = f"?{asked}" if (asked := request.rel_url.raw_query_string) else ""
        url = URL(f"https://{host}:{self.upstream.port}{path}{query}", encoded=True)
        until = time.monotonic() + self.patience_s
        while True:
            try:
                return await self._sent(request, body, url, context)
            except aiohttp.ClientSSLError:
                raise
            except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError):
                if time.monotonic() > until:
                    raise
                await asyncio.sleep(_STEP_S)

    async def _sent(
        self, request: web.Request, body: Body, url: URL, context: ssl.SSLContext
    ) -> aiohttp.ClientResponse:
        sent = headers.there(request.headers, request.remote or "")
        has_body = request.body_exists
        if has_body and request.content_length is not None:
            sent["Content-Length"] = str(request.content_length)
        return await self.upstream.session(with_body=has_body).request(
            request.method,
            url,
            data=body.chunks() if has_body else None,
            headers=sent,
            chunked=True if has_body and request.content_length is None else None,
            ssl=context,
            allow_redirects=False,
        )


async def _returned(request: web.Request, body: Body, answer: aiohttp.ClientResponse) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status, reason=answer.reason, headers=headers.back(answer.headers))
    if request.body_exists and not body.is_whole:
        response.force_close()
    await response.prepare(request)
    async for chunk in answer.content.iter_any():
        await response.write(chunk)
    await response.write_eof()
    return response


def _told(cause: Exception, body: Body, host: str) -> Exception:
    """Whose fault it was, which the library does not tell apart."""
    if isinstance(body.failure, ConnectionError | aiohttp.ClientConnectionError):
        return ConnectionResetError("the client is gone")
    if body.failure is not None:
        return Refusal(400, Fault("UploadBodyUnreadable", taken=body.taken, cause=body.failure))
    # As a whole it has the URL, of which a session's part is a secret.
    said = cause.message if isinstance(cause, aiohttp.ClientResponseError) else str(cause)
    values = {"server": host, "cause": said or type(cause).__name__}
    if isinstance(cause, aiohttp.ClientSSLError):
        return Refusal(502, Fault("UploadServerUntrusted", contract=_CONTRACT, **values))
    if isinstance(cause, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return Refusal(502, Fault("UploadServerUnreachable", contract=_CONTRACT, **values))
    return Refusal(502, Fault("UploadServerLost", contract=_CONTRACT, taken=body.taken, **values))
