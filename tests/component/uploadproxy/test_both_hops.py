"""From a client through cdi-uploadproxy to an upload server: both are the real ones."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.ports import free_port
from support.uploading import Trust as ServersTrust
from support.uploading import UploadServer, form_of
from support.uploadproxy import Answer, Claims, ProxyProcess, Trust, answer_on, virtctl_head, virtctl_post
from support.webhooks import Kubectl

from cdi.base.wire.termination import Termination

MiB = 1 << 20
DISK = random.Random(2).randbytes(3 * MiB)


@pytest.fixture(scope="module")
def port() -> int:
    """Of all upload servers."""
    return free_port()


@pytest.fixture(scope="module")
def proxy(api: ApiServer, kubectl: Kubectl, trust: Trust, port: int) -> Iterator[ProxyProcess]:
    with ProxyProcess(api, kubectl, trust, port) as made:
        yield made


@pytest.fixture(scope="module")
def servers(trust: Trust, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What a server is told to be one that the proxy believes, and which believes the proxy."""
    shown = trust.servers.issue("an upload server", "DNS:*.uploads.svc")
    return {
        "TLS_CERT_FILE": str(shown.cert),
        "TLS_KEY_FILE": str(shown.key),
        "CLIENT_CERT_FILE": str(trust.clients.cert),
    }


@pytest.fixture
def server(port: int, servers: dict[str, str], tmp_path: Path) -> Iterator[UploadServer]:
    told = servers | {"LISTEN_PORT": str(port), "UPLOAD_IMAGE_SIZE": "8Mi"}
    with UploadServer(tmp_path / "disk.img", ServersTrust(tmp_path / "own"), **told) as made:
        yield made


@pytest.fixture
def token(trust: Trust, claims: Claims, name: str) -> str:
    return trust.token("uploads", name, claims.make(name))


def virtctl(proxy: ProxyProcess, token: str, data: bytes) -> tuple[Answer, Answer]:
    """As it does: all is sent before the answer is read."""
    with proxy.connected() as connection:
        connection.sendall(virtctl_head(proxy.port, token))
        probed = answer_on(connection, "HEAD")
        connection.sendall(virtctl_post(proxy.port, token, len(data)) + data)
        return probed, answer_on(connection)


def test_what_virtctl_sends_is_the_disk(proxy: ProxyProcess, server: UploadServer, token: str, tmp_path: Path) -> None:
    probed, answer = virtctl(proxy, token, DISK)
    assert (probed.status, answer.status, answer.text) == (200, 200, "")
    assert isinstance(server.ended(), Termination)
    assert (tmp_path / "disk.img").read_bytes() == DISK.ljust(8 * MiB, b"\0")


def test_what_is_refused_is_told_to_a_client_that_sends_all_first_and_the_next_one_is_taken(
    proxy: ProxyProcess, server: UploadServer, token: str, tmp_path: Path
) -> None:
    for data, words in (
        (bytes(64 * MiB), "larger than the reported available"),
        (b"<html>" * 500_000, "[NotADiskImage]"),
    ):
        probed, answer = virtctl(proxy, token, data)
        assert (probed.status, answer.status) == (200, 400)
        assert words in answer.text
    assert virtctl(proxy, token, DISK)[1].status == 200
    assert isinstance(server.ended(), Termination)
    assert (tmp_path / "disk.img").read_bytes()[: len(DISK)] == DISK


def test_a_form_goes_through(proxy: ProxyProcess, server: UploadServer, token: str, tmp_path: Path) -> None:
    kind = "multipart/form-data; boundary=b0undary"
    refused = proxy.asked("POST", "/v1beta1/upload-form", token, form_of(DISK, field="x"), Content_Type=kind)
    assert (refused[0], "[UploadMalformed]" in refused[1]) == (400, True)
    assert proxy.asked("POST", "/v1beta1/upload-form", token, form_of(DISK), Content_Type=kind)[0] == 200
    assert isinstance(server.ended(), Termination)
    assert (tmp_path / "disk.img").read_bytes()[: len(DISK)] == DISK
