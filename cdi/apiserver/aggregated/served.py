"""The aggregated API over HTTP. Documents are for everybody; a token is for a user whom an API server names."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
from aiohttp import web

from cdi.api.uploadtoken import PLURAL
from cdi.apiserver.aggregated import discovery, openapi
from cdi.apiserver.aggregated.asked import asked_for, check_namespace
from cdi.apiserver.aggregated.grant import Sign, answered, authorize
from cdi.apiserver.aggregated.requestheader import RequestHeader, Unauthenticated, config_of, user_of
from cdi.apiserver.aggregated.status import Refusal
from cdi.apiserver.lookup import Lookup
from cdi.base.printable import excerpt
from cdi.kube.errors import ApiError
from cdi.kube.objects import ConfigMap
from cdi.serving.handshakes import Handshakes, client_of

log = logging.getLogger(__name__)

MOST_HEADERS = 2048  # each group of a user is one
_LARGEST = 64 << 10  # bytes of a request; virtctl's has 166
_BODY_S = 10.0
_JSON = "application/json"
_COLLECTION = f"/apis/{discovery.GROUP_VERSION}/namespaces/{{namespace}}/{PLURAL}"

Handler = Callable[[web.Request], Awaitable[web.Response]]


class Aggregated:
    """``add_to`` an application; ``adopt`` follows a store of the ConfigMap; ``handshakes`` believe what it says.
    ``installed``: the namespace of the installation."""

    def __init__(self, lookup: Lookup, sign: Sign, handshakes: Handshakes, installed: str) -> None:
        self._installed = installed
        self._lookup = lookup
        self._sign = sign
        self._handshakes = handshakes
        self._config = RequestHeader()

    def adopt(self, _: ConfigMap | None, found: ConfigMap | None) -> None:
        """By what cannot be read nobody is believed."""
        try:
            self._config = config_of(found.data if found is not None else {})
        except ValueError as error:
            log.error("API servers are not believed when they name users: %s", error)
            self._config = RequestHeader()
        if not self._config.authorities:
            log.warning("nobody gets upload tokens: API servers have no requestheader-client-ca-file")
        self._handshakes.believe(self._config.authorities)

    def add_to(self, application: web.Application) -> None:
        for path, document in discovery.DOCUMENTS.items():
            if path != "/apis":
                application.router.add_get(path, _document(document))
        application.router.add_get("/apis", _groups())
        application.router.add_get("/openapi/v2", _document(openapi.version_2()))
        application.router.add_post(_COLLECTION, _refusing(self._create))
        for path in (_COLLECTION, f"{_COLLECTION}/{{name}}", f"/apis/{discovery.GROUP_VERSION}/{PLURAL}"):
            application.router.add_route("*", path, _refusing(_only_created))

    async def _create(self, http: web.Request) -> web.Response:
        namespace = http.match_info["namespace"]
        check_namespace(namespace)
        try:
            user = user_of(self._config, _shown(http), http.headers)
        except Unauthenticated as error:
            raise Refusal(401, str(error)) from error
        await authorize(self._lookup, user, namespace)
        asked = asked_for(await _body(http), namespace)
        return _json(await answered(self._lookup, self._sign, asked, namespace, self._installed))


async def _only_created(_: web.Request) -> web.Response:
    raise Refusal(405, f"{PLURAL} can only be created, in a namespace: they are answered and not kept")


def _shown(http: web.Request) -> str | None:
    connection = http.transport.get_extra_info("ssl_object") if http.transport is not None else None
    return client_of(connection) if connection is not None else None


async def _body(http: web.Request) -> bytes:
    if http.content_type not in (_JSON, "application/octet-stream"):  # octet-stream: aiohttp's word for none given
        raise Refusal(415, f"the body is {excerpt(http.content_type)}, and {_JSON} can be read here")
    if http.headers.get("Content-Encoding", "identity") != "identity":
        raise Refusal(415, "the body is compressed, and cannot be read here so")
    too_large = Refusal(413, f"the body has more than {_LARGEST} bytes")
    if (http.content_length or 0) > _LARGEST:
        raise too_large
    body = b""
    try:
        async with asyncio.timeout(_BODY_S):
            while part := await http.content.readany():
                body += part
                if len(body) > _LARGEST:
                    raise too_large
    except TimeoutError as error:
        raise Refusal(408, f"the request was not whole after {_BODY_S:.0f} s") from error
    except (web.RequestPayloadError, OSError) as error:
        raise Refusal(400, "the request broke off, or its body is no HTTP") from error
    return body


def _refusing(handler: Handler) -> Handler:
    """Whatever goes wrong, the answer is a Status."""

    async def answer(http: web.Request) -> web.Response:
        try:
            return await handler(http)
        except Refusal as refusal:
            found = refusal
        except ApiError as error:
            log.warning("%s: %s", excerpt(http.path), error)
            found = Refusal(
                503 if error.transient else 500, f"what has to be looked up first was not: {excerpt(str(error), 500)}"
            )
        except Exception as error:
            log.exception("%s: a bug", excerpt(http.path))
            found = Refusal(500, f"no token was made: {type(error).__name__}. Please report this request")
        return _answer(found.document(), status=found.code)

    return answer


def _document(document: Mapping[str, Any]) -> Handler:
    answer = _Fixed(document)

    async def handle(http: web.Request) -> web.Response:
        return answer.to(http)

    return handle


def _groups() -> Handler:
    plain = _Fixed(discovery.DOCUMENTS["/apis"])
    forms = {
        version: _Fixed(discovery.everything(version), discovery.media_type(version)) for version in ("v2", "v2beta1")
    }

    async def handle(http: web.Request) -> web.Response:
        return forms.get(discovery.wanted(http.headers.get("Accept", "")), plain).to(http)

    return handle


class _Fixed:
    """A document that never changes. API servers ask for it again and again: who has it already is told so."""

    def __init__(self, document: Mapping[str, Any], media_type: str = _JSON) -> None:
        self._body = msgspec.json.encode(document)
        self._tag = f'"{hashlib.sha256(self._body).hexdigest().upper()}"'
        self._type = media_type

    def to(self, http: web.Request) -> web.Response:
        known = http.headers.get("If-None-Match", "") == self._tag
        headers = {"ETag": self._tag, "Vary": "Accept", "Cache-Control": "public"}
        return _answer(b"" if known else self._body, 304 if known else 200, self._type, headers)


def _json(document: Mapping[str, Any]) -> web.Response:
    return _answer(msgspec.json.encode(document))


def _answer(body: bytes, status: int = 200, media_type: str = _JSON, headers: Mapping[str, str] = {}) -> web.Response:
    said = {"Content-Type": media_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache, private"}
    return web.Response(body=body, status=status, headers=said | dict(headers))
