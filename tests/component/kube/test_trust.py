"""A cluster's certificate authority and its tokens are replaced while a process lives."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from support.asynchronous import asynchronous
from support.certificates import Authority
from support.ports import free_port

from cdi.kube import config
from cdi.kube.client import Client
from cdi.kube.errors import ApiError, Unauthorized, Untrusted


@asynccontextmanager
async def api_server(authority: Authority, port: int, token: str) -> AsyncIterator[None]:
    """Answers whoever has the ``token``."""

    async def answer(request: web.Request) -> web.Response:
        known = request.headers.get("Authorization") == f"Bearer {token}"
        return web.Response(text="ok") if known else web.Response(status=401, text="{}")

    app = web.Application()
    app.router.add_get("/version", answer)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    context = authority.issue("kube-apiserver").server_context()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=context).start()
    try:
        yield
    finally:
        await runner.cleanup()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "account"
    made.mkdir()
    (made / "token").write_text("first")
    return made


async def asked(client: Client) -> str:
    return (await client.get_raw("/version")).decode()


@asynchronous
async def test_a_new_authority_is_trusted_and_the_old_one_no_more(tmp_path: Path, folder: Path) -> None:
    old, new = Authority(tmp_path / "old", "Old"), Authority(tmp_path / "new", "New")
    shutil.copy(old.cert, folder / "ca.crt")
    port = free_port()
    async with Client(config.in_cluster(folder, "127.0.0.1", str(port))) as client:
        async with api_server(old, port, "first"):
            assert await asked(client) == "ok"
        async with api_server(new, port, "first"):
            with pytest.raises(Untrusted):
                await asked(client)
            shutil.copy(new.cert, folder / "ca.crt")
            assert await asked(client) == "ok"
        async with api_server(old, port, "first"):
            with pytest.raises(Untrusted):
                await asked(client)


@asynchronous
async def test_a_bundle_that_is_half_written_changes_nothing(tmp_path: Path, folder: Path) -> None:
    authority = Authority(tmp_path / "old", "Old")
    shutil.copy(authority.cert, folder / "ca.crt")
    port = free_port()
    async with (
        Client(config.in_cluster(folder, "127.0.0.1", str(port))) as client,
        api_server(authority, port, "first"),
    ):
        for broken in (b"", authority.cert.read_bytes()[:100], b"-----BEGIN CERTIFICATE-----\nAAAA\n"):
            (folder / "ca.crt").write_bytes(broken)
            client.access.doubt()
            assert await asked(client) == "ok"
        (folder / "ca.crt").unlink()
        client.access.doubt()
        assert await asked(client) == "ok"


@asynchronous
async def test_a_token_that_the_server_does_not_take_any_more_is_read_again(tmp_path: Path, folder: Path) -> None:
    authority = Authority(tmp_path / "ca")
    shutil.copy(authority.cert, folder / "ca.crt")
    port = free_port()
    async with Client(config.in_cluster(folder, "127.0.0.1", str(port))) as client:
        async with api_server(authority, port, "first"):
            assert await asked(client) == "ok"
        async with api_server(authority, port, "second"):
            (folder / "token").write_text("second")
            with pytest.raises(Unauthorized):
                await asked(client)
            assert await asked(client) == "ok"


@asynchronous
async def test_many_askers_at_once_see_the_change(tmp_path: Path, folder: Path) -> None:
    old, new = Authority(tmp_path / "old", "Old"), Authority(tmp_path / "new", "New")
    shutil.copy(old.cert, folder / "ca.crt")
    port = free_port()
    async with Client(config.in_cluster(folder, "127.0.0.1", str(port))) as client:
        async with api_server(old, port, "first"):
            await asyncio.gather(*(asked(client) for _ in range(10)))
        async with api_server(new, port, "first"):
            shutil.copy(new.cert, folder / "ca.crt")
            found = await asyncio.gather(*(asked(client) for _ in range(10)), return_exceptions=True)
            assert all(answer == "ok" or isinstance(answer, ApiError) for answer in found)
            assert await asked(client) == "ok"
