"""Serves the page's files, which are read once. Nothing in them depends on a request, and no cookie is ever set."""

from __future__ import annotations

from importlib import resources

from aiohttp import web

PAGE = "/page/"  # the others are beside it
_TYPES = {
    "index.html": "text/html",
    "page.css": "text/css",
    **dict.fromkeys(("page.js", "tus.js", "upload.js", "words.js"), "text/javascript"),
}
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",  # page and program have to be of one version
}


class _File:
    def __init__(self, name: str) -> None:
        self._type = _TYPES[name]
        self._body = resources.files(__package__).joinpath(name).read_bytes()

    async def answer(self, _: web.Request) -> web.Response:
        return web.Response(body=self._body, content_type=self._type, charset="utf-8", headers=_HEADERS)


def add_routes(router: web.UrlDispatcher) -> None:
    """Raises OSError where the installation lacks a file."""
    for name in _TYPES:
        router.add_get(PAGE if name == "index.html" else PAGE + name, _File(name).answer)
    router.add_get(PAGE.rstrip("/"), _to_the_page)


async def _to_the_page(_: web.Request) -> web.Response:
    """Relative: it may be reached by way of an Ingress. A browser keeps the fragment."""
    return web.Response(status=308, headers={**_HEADERS, "Location": "page/"})
