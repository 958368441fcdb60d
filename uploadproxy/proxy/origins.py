"""CORS as the contract has it: every origin may call. Safe, as there are no cookies: whoever calls shows a token."""

from __future__ import annotations

from aiohttp import web

_METHOD, _HEADERS = "Access-Control-Request-Method", "Access-Control-Request-Headers"


def is_preflight(request: web.Request) -> bool:
    return request.method == "OPTIONS" and _METHOD in request.headers


def preflight(request: web.Request) -> web.Response:
    """Whatever is asked for is allowed."""
    allowed = {"Access-Control-Allow-Methods": request.headers[_METHOD]}
    if _HEADERS in request.headers:
        allowed["Access-Control-Allow-Headers"] = request.headers[_HEADERS]
    return web.Response(headers=allowed)


async def allow(request: web.Request, response: web.StreamResponse) -> None:
    """For every answer, errors too: a page could not read them without."""
    response.headers["Vary"] = "Origin"
    if "Origin" in request.headers:
        response.headers["Access-Control-Allow-Origin"] = "*"
