"""The webhooks over HTTPS."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, nullcontext
from functools import partial

from aiohttp import web

from cdi.apiserver import (
    cdi_validate,
    clone_permit,
    dataimportcron_validate,
    datavolume_mutate,
    datavolume_validate,
    objecttransfer_validate,
    populator_validate,
)
from cdi.apiserver.clone_permit import Verify
from cdi.apiserver.datavolume_mutate import Sign
from cdi.apiserver.decoding import Undecodable
from cdi.apiserver.entrance import Entrance
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import Answer, Request, Review, broken, encode
from cdi.base.printable import excerpt
from cdi.kube.decoding import read
from cdi.kube.errors import ApiError, Unreadable
from cdi.serving.leaving import Leaving

log = logging.getLogger(__name__)

Handler = Callable[[Request, Lookup], Awaitable[Answer]]

_BODY_S = 10.0
_LARGEST = 8 << 20  # the API server takes no larger objects than 3 MiB, and a review has two
_ORDINARY = 64 << 10  # bytes; a DataVolume has some 2 KiB
_READ_AT_ONCE = 4  # large ones, whose bytes are in memory


def webhooks(verify: Verify | None) -> Mapping[str, Handler]:
    """By path. Whoever reaches the port may ask, and write down any user: an answer gives nobody any rights."""
    return {
        "/datavolume-validate": datavolume_validate.validate,
        "/pvc-mutate": partial(clone_permit.mutate, verify=verify),
        "/dataimportcron-validate": dataimportcron_validate.validate,
        "/populator-validate": populator_validate.validate,
        "/unserved-kind": populator_validate.warn,
        "/objecttransfer-validate": objecttransfer_validate.validate,
        "/cdi-validate": cdi_validate.validate,
    }


class Line:
    """Large reviews, which take a tenth of a second each, wait for each other, and ordinary ones for none of them: a
    hundred at once cost others the time of one, and the memory of a few."""

    def __init__(self) -> None:
        self._reading = asyncio.Semaphore(_READ_AT_ONCE)
        self._judging = asyncio.Lock()

    @asynccontextmanager
    async def reading(self, size: int | None) -> AsyncIterator[None]:
        """``size``: of the body, None where it is not known before."""
        async with self._reading if size is None or size > _ORDINARY else nullcontext():
            yield

    @asynccontextmanager
    async def judging(self, size: int) -> AsyncIterator[None]:
        async with self._judging if size > _ORDINARY else nullcontext():
            yield


def application(
    lookup: Lookup, sign: Sign, leaving: Leaving, entrance: Entrance | None = None, verify: Verify | None = None
) -> web.Application:
    """``entrance``: by which API servers come; what they ask alone is answered with a token. ``verify``: of tokens that
    come back; None believes none."""
    served = web.Application(client_max_size=_LARGEST)
    line = Line()
    for path, handler in webhooks(verify).items():
        served.router.add_post(path, _endpoint(handler, lookup, line))
    by_entrance = _by_entrance(lookup, sign, entrance, line)
    for path in ("/datavolume-mutate", "/datavolume-mutate/{segment}"):
        served.router.add_post(path, by_entrance)
    served.router.add_get("/healthz", _alive)
    served.router.add_get("/readyz", leaving.ready)
    served.on_response_prepare.append(leaving.close_connections)
    return served


def _by_entrance(
    lookup: Lookup, sign: Sign, entrance: Entrance | None, line: Line
) -> Callable[[web.Request], Awaitable[web.Response]]:
    api_server = _endpoint(partial(datavolume_mutate.mutate, sign=sign), lookup, line)
    anybody = _endpoint(partial(datavolume_mutate.mutate, sign=None), lookup, line)

    async def answer(http: web.Request) -> web.Response:
        admitted = entrance is not None and await entrance.admits(http.match_info.get("segment", ""))
        return await (api_server if admitted else anybody)(http)

    return answer


def _endpoint(handler: Handler, lookup: Lookup, line: Line) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(http: web.Request) -> web.Response:
        async with line.reading(http.content_length):
            try:
                async with asyncio.timeout(_BODY_S):
                    body = await http.read()
            except TimeoutError:
                return web.Response(status=408, text=f"the request was not whole after {_BODY_S:.0f} s\n")
            async with line.judging(len(body)):
                return await _judged(handler, lookup, body)

    return answer


async def _judged(handler: Handler, lookup: Lookup, body: bytes) -> web.Response:
    try:
        review = read(Review, body, "this is no AdmissionReview")
    except Unreadable as error:
        return web.Response(status=400, text=f"{error}\n")
    answer = encode(review, await _answered(handler, review.request, lookup))
    return web.Response(body=answer, content_type="application/json")


async def _answered(handler: Handler, request: Request, lookup: Lookup) -> Answer:
    """Whatever goes wrong here, the person who waits reads what."""
    try:
        return await handler(request, lookup)
    except Undecodable as refusal:
        return refusal.answer
    except ApiError as error:
        log.warning("%s %s/%s: %s", request.operation, request.namespace, request.name, error)
        return broken(f"the webhook could not look up what it needs: {error}")
    except Exception as error:
        log.exception("%s %s/%s: a bug", request.operation, request.namespace, request.name)
        said = f"{type(error).__name__}: {excerpt(str(error))}"
        return Answer(False, 500, f"the webhook failed, and nothing was judged: {said}. Please report this object")


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")
