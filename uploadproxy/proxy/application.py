"""The proxy's paths, and what is looked at before anything is passed on."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass

from aiohttp import web
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from cdi.base.upload_permits import UploadPermit
from cdi.serving.leaving import Leaving
from uploadproxy.proxy import origins, sessions
from uploadproxy.proxy.attendance import Attendance, Handler
from uploadproxy.proxy.authorization import permitted
from uploadproxy.proxy.body import no_invitation
from uploadproxy.proxy.destination import Destination
from uploadproxy.proxy.forwarding import Passage
from uploadproxy.proxy.page import files
from uploadproxy.proxy.paths import PATHS, server_path
from uploadproxy.proxy.refusal import Refusal, told
from uploadproxy.proxy.search import Search

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Proxy:
    """``key``: which upload tokens are signed with."""

    key: RSAPublicKey
    search: Search
    passage: Passage

    async def answer(self, request: web.Request) -> web.StreamResponse:
        permit = permitted(request.headers.get("Authorization", ""), self.key)
        found = await self.search.destination(permit)
        path = server_path(request.path, is_archive=found.is_archive)
        return await self._passed_on(request, permit, found, path)

    async def open_session(self, request: web.Request) -> web.StreamResponse:
        if request.method == "OPTIONS":
            return sessions.about()
        permit = permitted(request.headers.get("Authorization", ""), self.key)
        return await self._passed_on(request, permit, await self.search.destination(permit), request.path)

    async def go_on(self, request: web.Request) -> web.StreamResponse:
        """With a session: whoever knows its location may."""
        if request.method == "OPTIONS":
            return sessions.about()
        permit = sessions.claim_in(request.path)
        try:
            found = await self.search.destination(permit)
        except Refusal as refusal:
            raise (sessions.unknown() if sessions.tells_too_much(refusal) else refusal) from refusal
        return await self._passed_on(request, permit, found, request.path)

    async def _passed_on(
        self, request: web.Request, permit: UploadPermit, found: Destination, path: str
    ) -> web.StreamResponse:
        began = time.monotonic()
        response = await self.passage.pass_on(request, found.host, path)
        took = time.monotonic() - began
        log.info(
            "%s %s to %s/%s: %d after %.1f s",
            request.method,
            sessions.shown(path),
            permit.namespace,
            permit.name,
            response.status,
            took,
        )
        return response


def application(proxy: Proxy, leaving: Leaving, attendance: Attendance) -> web.Application:
    served = web.Application(middlewares=[attendance.attend, _answered])
    for path in PATHS:
        served.router.add_route("*", path, proxy.answer, expect_handler=no_invitation)
    served.router.add_route("*", sessions.SESSIONS, proxy.open_session, expect_handler=no_invitation)
    served.router.add_route("*", sessions.LOCATION, proxy.go_on, expect_handler=no_invitation)
    served.router.add_get("/healthz", _alive)
    files.add_routes(served.router)
    served.on_response_prepare.append(origins.allow)
    served.on_response_prepare.append(sessions.expose)
    served.on_response_prepare.append(_nameless)
    served.on_response_prepare.append(leaving.close_connections)
    return served


@web.middleware
async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Whatever goes wrong, the person who waits reads what."""
    try:
        return origins.preflight(request) if origins.is_preflight(request) else await handler(request)
    except Refusal as refusal:
        log.info("%s %s: %d %s", request.method, sessions.shown(request.path), refusal.status, refusal)
        return _closing(request, refusal.answer())
    except web.HTTPException as error:
        return _closing(request, told(error.status, f"{request.method} {sessions.shown(request.path)}: {error.reason}"))
    except ConnectionError:
        raise  # nobody is there to be told
    except Exception as error:
        log.exception("%s %s: a bug", request.method, sessions.shown(request.path))
        said = f"the upload proxy failed: {type(error).__name__}. Please report what its log says"
        return _closing(request, told(500, said))


def _closing(request: web.Request, response: web.Response) -> web.Response:
    """What is still being sent is read and thrown away for a while (aiohttp does so), and then nobody waits for it."""
    if not request.content.at_eof():
        response.force_close()
    return response


async def _nameless(_: web.Request, response: web.StreamResponse) -> None:
    """Which versions run here is nobody's business."""
    response.headers.popall("Server", None)


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="OK")
