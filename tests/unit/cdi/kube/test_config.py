from __future__ import annotations

import asyncio
import base64
import json
from pathlib import Path

import pytest

from cdi.kube import config


def kubeconfig(folder: Path, user: dict[str, object], cluster: dict[str, object] | None = None) -> str:
    path = folder / "config"
    contexts = [
        {"name": "one", "context": {"cluster": "c", "user": "u", "namespace": "vms"}},
        {"name": "two", "context": {"cluster": "c", "user": "u"}},
    ]
    document = {
        "current-context": "one",
        "contexts": contexts,
        "clusters": [{"name": "c", "cluster": {"server": "https://127.0.0.1:6443/prefix/", **(cluster or {})}}],
        "users": [{"name": "u", "user": user}],
    }
    path.write_text(json.dumps(document))
    return str(path)


def header(access: config.Access) -> str:
    async def ask() -> str:
        assert access.authorization
        return await access.authorization()

    return asyncio.run(ask())


def test_a_token_in_a_kubeconfig_becomes_a_header(tmp_path: Path) -> None:
    access = config.load(kubeconfig(tmp_path, {"token": "abc"}))
    assert header(access) == "Bearer abc"
    assert (access.server, access.namespace) == ("https://127.0.0.1:6443/prefix", "vms")


def test_another_context_may_be_named(tmp_path: Path) -> None:
    assert config.load(kubeconfig(tmp_path, {"token": "abc"}), "two").namespace == "default"


def test_a_credential_plugin_is_run(tmp_path: Path) -> None:
    plugin = tmp_path / "plugin"
    answer = {
        "apiVersion": "client.authentication.k8s.io/v1",
        "kind": "ExecCredential",
        "status": {"token": "from-plugin"},
    }
    plugin.write_text(f"#!/bin/sh\necho '{json.dumps(answer)}'\n")
    plugin.chmod(0o755)
    run = {"apiVersion": "client.authentication.k8s.io/v1", "command": str(plugin), "interactiveMode": "Never"}
    assert header(config.load(kubeconfig(tmp_path, {"exec": run}))) == "Bearer from-plugin"


def test_without_credentials_there_is_no_header(tmp_path: Path) -> None:
    assert config.load(kubeconfig(tmp_path, {})).authorization is None


@pytest.mark.parametrize("context", ["three"])
def test_an_unknown_context_is_no_access(tmp_path: Path, context: str) -> None:
    with pytest.raises(config.NoAccess, match="has no context three; there are: one, two"):
        config.load(kubeconfig(tmp_path, {"token": "abc"}), context)


def test_a_missing_kubeconfig_is_no_access(tmp_path: Path) -> None:
    with pytest.raises(config.NoAccess, match="name one with"):
        config.load(str(tmp_path / "none"))


def test_a_broken_ca_is_no_access(tmp_path: Path) -> None:
    broken = {"certificate-authority-data": base64.b64encode(b"junk").decode()}
    with pytest.raises(config.NoAccess, match="CA certificates"):
        config.load(kubeconfig(tmp_path, {"token": "abc"}, broken))


def test_a_service_accounts_token_is_read_again(tmp_path: Path) -> None:
    now = 0.0
    token = tmp_path / "token"
    token.write_text("first\n")
    read = config._TokenFile(token, lambda: now)
    assert asyncio.run(read()) == "Bearer first"
    token.write_text("second\n")
    assert asyncio.run(read()) == "Bearer first"
    now = 61.0
    assert asyncio.run(read()) == "Bearer second"


def test_a_token_that_was_refused_is_read_again_at_once_and_one_that_cannot_be_read_is_kept(tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("first\n")
    read = config._TokenFile(token, lambda: 0.0)
    assert asyncio.run(read()) == "Bearer first"
    token.write_text("second\n")
    read.expire()
    assert asyncio.run(read()) == "Bearer second"
    token.unlink()
    read.expire()
    assert asyncio.run(read()) == "Bearer second"


@pytest.mark.parametrize("text", ["a: [", "[1, 2]", "word", "{}", '{"contexts": 5, "current-context": "one"}'])
def test_what_is_no_kubeconfig_is_no_access(tmp_path: Path, text: str) -> None:
    (tmp_path / "config").write_text(text)
    with pytest.raises(config.NoAccess, match="config"):
        config.load(str(tmp_path / "config"))


def test_a_broken_client_certificate_is_no_access(tmp_path: Path) -> None:
    junk = base64.b64encode(b"junk").decode()
    with pytest.raises(config.NoAccess, match="client certificate"):
        config.load(kubeconfig(tmp_path, {"client-certificate-data": junk, "client-key-data": junk}))
