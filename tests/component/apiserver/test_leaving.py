"""``cdi-apiserver`` among its clients: odd ones, slow ones, and when it has to go."""

from __future__ import annotations

import asyncio
import http.client
import signal
import ssl
from typing import Any

import pytest
from aiohttp import web
from support.apiserver import ApiServer
from support.asynchronous import asynchronous
from support.controller import wait_until
from support.manifests import claim, datavolume
from support.manifests import http as http_source
from support.ports import free_port
from support.webhooks import Kubectl, Process, install

from cdi.apiserver import server
from cdi.apiserver.lookup import Lookup
from cdi.apiserver.server import application
from cdi.kube.client import Client
from cdi.kube.config import Access
from cdi.serving.leaving import Leaving


@pytest.fixture
def asked(api: ApiServer, kubectl: Kubectl, tmp_path: Any) -> Any:
    """A process of this test's own."""
    made = Process(api, kubectl, tmp_path)
    install(kubectl, made.url)
    with made:
        yield made


def answer(port: int, method: str, path: str, body: bytes | None = None) -> tuple[int, str, str]:
    """Status, text, and whether the connection stays."""
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request(method, path, body)
        found = connection.getresponse()
        return found.status, found.read().decode(), found.headers.get("Connection", "")
    finally:
        connection.close()


def test_one_that_is_asked_to_stop_says_so_and_answers_on(asked: Process, kubectl: Kubectl) -> None:
    assert answer(asked.port, "GET", "/readyz")[0] == 200
    asked.signal(signal.SIGTERM)
    wait_until(lambda: answer(asked.port, "GET", "/readyz")[0] == 503, "it says that it leaves")
    assert answer(asked.port, "GET", "/healthz") == (200, "ok\n", "close")
    volume = datavolume("disk", http_source("http://example.invalid/disk.img"), pvc=claim("1Gi"))
    assert kubectl.run("create", "--dry-run=server", "-f", "-", objects=volume).returncode == 0
    assert asked.ended() == 0
    assert "Traceback" not in asked.log.read_text()


@pytest.mark.parametrize(
    "body",
    [
        b"\xff\xfe",
        b'{"request": {"uid": "\xff"}}',
        b'{"apiVersion": "v1", "request": ' + b"[" * 100_000,
        b'{"apiVersion": "v1", "request": {"object": ' + b'{"a":' * 5_000 + b"1" + b"}" * 5_000 + b"}}",
    ],
    ids=["no JSON", "no Unicode", "nested", "a nested object"],
)
def test_what_is_no_review_is_told_so(process: Process, body: bytes) -> None:
    status, text, _ = answer(process.port, "POST", "/datavolume-validate", body)
    assert status == 400
    assert text.startswith("this is no AdmissionReview: ")


@asynchronous
async def test_a_body_that_does_not_come_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_BODY_S", 0.2)
    async with Client(Access("http://127.0.0.1:1")) as client:
        runner = web.AppRunner(application(Lookup(client), lambda permit, now: "token", Leaving()), access_log=None)
        await runner.setup()
        port = free_port()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(b"POST /datavolume-validate HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n{")
            assert await reader.readline() == b"HTTP/1.1 408 Request Timeout\r\n"
        finally:
            writer.close()
            await runner.cleanup()


def test_a_configuration_that_is_made_anew_is_trusted_soon(asked: Process, kubectl: Kubectl) -> None:
    """Until then it refuses everything."""
    name = "cdi-api-datavolume-mutate"
    found = kubectl.get("mutatingwebhookconfiguration", name)
    kubectl.done("delete", "mutatingwebhookconfiguration", name)
    wait_until(lambda: f"{name} is missing" in asked.log.read_text(), "it is missed")
    for hook in found["webhooks"]:
        hook["clientConfig"].pop("caBundle")
    metadata = {"name": name, "labels": found["metadata"]["labels"]}
    kubectl.done("create", "-f", "-", objects=found | {"metadata": metadata})
    volume = datavolume("disk", http_source("http://example.invalid/disk.img"), pvc=claim("1Gi"))

    def accepted() -> bool:
        return kubectl.run("create", "--dry-run=server", "-f", "-", objects=volume).returncode == 0

    wait_until(accepted, "it is trusted")
