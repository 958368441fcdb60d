"""The webhooks over HTTPS."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

import msgspec
from aiohttp import web

from cdi.apiserver import (
    cdi_validate,
    claim_mutate,
    dataimportcron_validate,
    datavolume_mutate,
    datavolume_validate,
    objecttransfer_validate,
    populator_validate,
)
from cdi.apiserver.datavolume_mutate import Sign
from cdi.apiserver.decoding import Undecodable
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.review import Answer, Request, Review, broken, encode
from cdi.kube.errors import ApiError

log = logging.getLogger(__name__)

Handler = Callable[[Request, Lookup], Awaitable[Answer]]

_LARGEST = 8 << 20  # the API server takes no larger objects than 3 MiB, and a review has two


def webhooks(sign: Sign) -> Mapping[str, Handler]:
    """By path."""
    return {
        "/datavolume-mutate": partial(datavolume_mutate.mutate, sign=sign),
        "/datavolume-validate": datavolume_validate.validate,
        "/pvc-mutate": claim_mutate.mutate,
        "/dataimportcron-validate": dataimportcron_validate.validate,
        "/populator-validate": populator_validate.validate,
        "/unserved-kind": populator_validate.warn,
        "/objecttransfer-validate": objecttransfer_validate.validate,
        "/cdi-validate": cdi_validate.validate,
    }


def application(lookup: Lookup, sign: Sign) -> web.Application:
    served = web.Application(client_max_size=_LARGEST)
    for path, handler in webhooks(sign).items():
        served.router.add_post(path, _endpoint(handler, lookup))
    served.router.add_get("/healthz", _alive)
    served.router.add_get("/readyz", _alive)
    return served


def _endpoint(handler: Handler, lookup: Lookup) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(http: web.Request) -> web.Response:
        try:
            review = msgspec.json.decode(await http.read(), type=Review)
        except msgspec.MsgspecError as error:
            return web.Response(status=400, text=f"this is no AdmissionReview: {error}\n")
        body = encode(review, await _answered(handler, review.request, lookup))
        return web.Response(body=body, content_type="application/json")

    return answer


async def _answered(handler: Handler, request: Request, lookup: Lookup) -> Answer:
    """Whatever goes wrong here, the person who waits reads what."""
    try:
        return await handler(request, lookup)
    except Undecodable as refusal:
        return refusal.answer
    except ApiError as error:
        log.warning("%s %s/%s: %s", request.operation, request.namespace, request.name, error)
        return broken(f"the webhook could not look up what it needs: {error}")


async def _alive(_: web.Request) -> web.Response:
    return web.Response(text="ok\n")


async def serve(served: web.Application, context: ssl.SSLContext, address: str, port: int) -> web.AppRunner:
    """Serves until the runner is cleaned up. The context may get another certificate meanwhile."""
    runner = web.AppRunner(served, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, address or None, port, ssl_context=context).start()
    return runner
