"""The aggregated API over HTTP on loopback: that a certificate was shown is given, and the cluster is a few objects."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from support.admission import Known
from support.asynchronous import asynchronous

from cdi.apiserver.aggregated import served
from cdi.apiserver.aggregated.served import Aggregated
from cdi.apiserver.lookup import Right
from cdi.base.upload_permits import UploadPermit
from cdi.kube.errors import ApiError, Forbidden, Unreachable
from cdi.kube.objects import ConfigMap
from cdi.kube.resources import CLAIMS, CONFIG_MAPS
from cdi.serving.handshakes import Handshakes

RIGHT = Right("team", "uploadtokenrequests", "upload.cdi.kubevirt.io", version="v1beta1")
PATH = "/apis/upload.cdi.kubevirt.io/v1beta1/namespaces/team/uploadtokenrequests"
CONFIG = ConfigMap(data={"requestheader-username-headers": '["X-Remote-User"]', "requestheader-allowed-names": "[]"})
ALICE = {"X-Remote-User": "alice"}
ASKING = {"spec": {"pvcName": "disk"}}


def named(permit: UploadPermit, *, now: object) -> str:
    return f"{permit.namespace}/{permit.name}/{permit.uid}"


@asynccontextmanager
async def serving(known: Any, config: ConfigMap = CONFIG) -> AsyncIterator[tuple[aiohttp.ClientSession, int]]:
    application, aggregated = web.Application(), Aggregated(known, named, Handshakes(), "cdi")
    aggregated.add_to(application)
    aggregated.adopt(None, config)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
            yield session, port
    finally:
        await runner.cleanup()


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client has shown a certificate that is believed."""
    monkeypatch.setattr(served, "_shown", lambda http: "front")


async def status(session: aiohttp.ClientSession, **request: Any) -> Any:
    """The answer to a POST, which says as Status what its number is."""
    request = {"headers": ALICE, "json": ASKING} | request
    async with session.post(PATH, **request) as answer:
        said = json.loads(await answer.read())
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert said.get("code", 200) == answer.status
        return said


@asynchronous
async def test_a_token_is_for_the_claim_that_has_the_name(shown: None) -> None:
    known = Known(RIGHT).add(CLAIMS, "disk", "team", metadata={"uid": "0f4a"})
    async with serving(known) as (session, _):
        assert (await status(session))["status"] == {"token": "team/disk/0f4a"}
        assert (await status(session, json={"spec": {"pvcName": "none"}}))["status"] == {"token": "team/none/"}
    assert known.asked == [RIGHT, RIGHT]


@asynchronous
async def test_with_a_token_comes_by_whom_upload_servers_are_known(shown: None) -> None:
    bundle = {"ca-bundle.crt": "newest, and the one before"}
    known = Known(RIGHT).add(CONFIG_MAPS, "cdi-uploadserver-signer-bundle", "cdi", metadata={}, data=bundle)
    async with serving(known) as (session, _):
        said = (await status(session))["status"]
    assert said == {"token": "team/disk/", "serverAuthorities": "newest, and the one before"}


@asynchronous
async def test_the_right_is_asked_for_before_anything_is_read(shown: None) -> None:
    async with serving(Known()) as (session, _):
        said = await status(session, json=None, data=b"\xff", headers=ALICE)
        assert (said["reason"], said["message"].count('User "alice" cannot create')) == ("Forbidden", 1)


@asynchronous
async def test_without_tls_nobody_is_anybody() -> None:
    async with serving(Known(RIGHT)) as (session, _):
        assert (await status(session))["reason"] == "Unauthorized"


@asynchronous
async def test_by_names_that_cannot_be_read_nobody_is_believed(shown: None, caplog: pytest.LogCaptureFixture) -> None:
    broken = ConfigMap(data={**CONFIG.data, "requestheader-allowed-names": "front"})
    async with serving(Known(RIGHT), broken) as (session, _):
        assert (await status(session))["reason"] == "Unauthorized"
    assert "requestheader-allowed-names is no list of names" in caplog.text


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreachable("connection refused"), "ServiceUnavailable"),
        (Forbidden(403, "Forbidden", "cdi-apiserver may not"), "InternalError"),
        (KeyError("x"), "InternalError"),
    ],
    ids=str,
)
@asynchronous
async def test_what_cannot_be_looked_up_is_an_answer(
    shown: None, error: Exception, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    class Failing(Known):
        async def may(self, *_: Any) -> bool:
            raise error

    async with serving(Failing()) as (session, _):
        said = await status(session)
    assert said["reason"] == reason and len(said["message"]) > 30
    assert ("a bug" in caplog.text) is not isinstance(error, ApiError)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"json": None, "data": b"x" * 70_000, "headers": ALICE | {"Content-Type": "application/json"}}, 413),
        ({"json": None, "data": b"spec: {}", "headers": ALICE | {"Content-Type": "application/yaml"}}, 415),
        ({"headers": ALICE | {"Content-Encoding": "gzip"}}, 415),
        ({"json": None, "data": b"", "headers": ALICE}, 400),
    ],
)
@asynchronous
async def test_a_body_that_is_no_request_is_an_answer(shown: None, request_: dict[str, Any], code: int) -> None:
    async with serving(Known(RIGHT)) as (session, _):
        assert (await status(session, **request_))["code"] == code


@asynchronous
async def test_a_body_without_a_length_is_read_to_its_bound(shown: None) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 1000

    async with serving(Known(RIGHT)) as (session, _):
        headers = ALICE | {"Content-Type": "application/json"}
        assert (await status(session, json=None, data=endless(), headers=headers))["code"] == 413


@asynchronous
async def test_who_sends_half_a_request_gets_an_answer(shown: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served, "_BODY_S", 0.05)
    async with serving(Known(RIGHT)) as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST {PATH} HTTP/1.1\r\nHost: a\r\nX-Remote-User: alice\r\nContent-Type: application/json\r\n"
        writer.write(f"{head}Content-Length: 100\r\n\r\n{{".encode())
        assert (await reader.readline()).startswith(b"HTTP/1.1 408 ")
        writer.close()


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
@asynchronous
async def test_what_is_not_kept_can_only_be_created(method: str) -> None:
    async with serving(Known()) as (session, _):
        for path in (PATH, f"{PATH}/disk", PATH.replace("namespaces/team/", "")):
            async with session.request(method, path) as answer:
                assert (answer.status, (await answer.json())["reason"]) == (405, "MethodNotAllowed")


@pytest.mark.parametrize("version", ["v2", "v2beta1"])
@asynchronous
async def test_everything_at_once_is_told_by_its_type(version: str) -> None:
    accept = f"application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList"
    async with serving(Known()) as (session, _), session.get("/apis", headers={"Accept": accept}) as answer:
        assert answer.headers["Content-Type"] == accept
        assert (await answer.json(content_type=None))["apiVersion"] == f"apidiscovery.k8s.io/{version}"
