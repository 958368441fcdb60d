"""virtctl, proxy and upload server together: what arrives on the disk, and what a client reads where nothing does.

It also backs ``support.receiver``, which stands for the server where something must happen that it does not do.
"""

from __future__ import annotations

import io
import random
import ssl
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.controller import wait_until
from support.ports import free_port
from support.uploading import UploadServer, form_of
from support.uploadproxy import (
    READY,
    Answer,
    Claims,
    Installed,
    ProxyProcess,
    Trust,
    answer_on,
    sent,
    virtctl_head,
    virtctl_post,
)
from support.webhooks import Kubectl

from cdi.base.units import MiB
from cdi.base.wire.termination import Termination
from cdi.contract import annotations as a

DISK = random.Random(5).randbytes(3 * MiB)
PORT = free_port()
Start = Callable[..., UploadServer]


@pytest.fixture(scope="module")
def proxy(api: ApiServer, kubectl: Kubectl, trust: Trust) -> Iterator[ProxyProcess]:
    with ProxyProcess(api, kubectl, trust, PORT) as made:
        yield made


@pytest.fixture
def server(disk: Path, installed: Installed) -> Iterator[UploadServer]:
    with UploadServer(disk, installed, UPLOAD_IMAGE_SIZE="8Mi", LISTEN_PORT=str(PORT)) as made:
        yield made


@pytest.fixture
def token(trust: Trust, claims: Claims, name: str) -> str:
    return trust.token("uploads", name, claims.make(name))


def virtctl(proxy: ProxyProcess, token: str, body: bytes) -> tuple[int, Answer]:
    """One attempt: what HEAD said, and the answer to the POST that follows from it."""
    with proxy.connected() as connection:
        connection.sendall(virtctl_head(proxy.port, token))
        probed = answer_on(connection, "HEAD").status
        path = "/v1beta1/upload-async" if probed == 200 else "/v1beta1/upload"
        connection.sendall(virtctl_post(proxy.port, token, len(body), path))
        sent(connection, len(body), body)
        return probed, answer_on(connection)


def test_what_virtctl_uploads_is_the_disk(proxy: ProxyProcess, server: UploadServer, disk: Path, token: str) -> None:
    probed, answer = virtctl(proxy, token, DISK)
    assert (probed, answer.status, answer.text) == (200, 200, "")
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes() == DISK.ljust(8 * MiB, b"\0")


def test_an_archive_goes_to_its_own_path_by_way_of_the_synchronous_one(
    proxy: ProxyProcess, installed: Installed, trust: Trust, claims: Claims, name: str, tmp_path: Path
) -> None:
    token = trust.token("uploads", name, claims.make(name, READY | {a.CONTENT_TYPE: "archive"}))
    packed, volume = io.BytesIO(), tmp_path / "volume"
    volume.mkdir()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        entry = tarfile.TarInfo("./a")
        entry.size = len(DISK)
        archive.addfile(entry, io.BytesIO(DISK))
    with UploadServer(volume, installed, LISTEN_PORT=str(PORT)) as server:
        probed, answer = virtctl(proxy, token, packed.getvalue())
        assert (probed, answer.status) == (404, 200)
        assert isinstance(server.ended(), Termination)
    assert (volume / "a").read_bytes() == DISK


def test_the_file_of_a_browser_s_form_is_the_disk(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    form = {"Content_Type": "multipart/form-data; boundary=b0undary", "Origin": "foo.bar.com"}
    status, text, headers = proxy.asked("POST", "/v1alpha1/upload-form-async", token, form_of(DISK), **form)
    assert (status, text, headers["Access-Control-Allow-Origin"]) == (200, "", "*")
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_a_disk_that_is_too_large_is_refused_while_it_is_sent_and_the_next_one_taken(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    large = DISK * 22
    for _ in range(2):
        _, answer = virtctl(proxy, token, large)
        assert (answer.status, disk.exists()) == (400, False)
        assert "effective image size is larger than the reported available storage" in answer.text
    assert virtctl(proxy, token, DISK)[1].status == 200
    assert isinstance(server.ended(), Termination)


def test_what_is_no_disk_is_told_to_a_client_that_sends_all_first_and_the_next_one_is_taken(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    for data, words in (
        (bytes(64 * MiB), "larger than the reported available"),
        (b"<html>" * 500_000, "[NotADiskImage]"),
    ):
        probed, answer = virtctl(proxy, token, data)
        assert (probed, answer.status) == (200, 400)
        assert words in answer.text
    assert virtctl(proxy, token, DISK)[1].status == 200
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_a_form_without_a_file_is_refused_and_one_with_it_taken(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    kind = "multipart/form-data; boundary=b0undary"
    refused = proxy.asked("POST", "/v1beta1/upload-form", token, form_of(DISK, field="x"), Content_Type=kind)
    assert (refused[0], "[UploadMalformed]" in refused[1]) == (400, True)
    assert proxy.asked("POST", "/v1beta1/upload-form", token, form_of(DISK), Content_Type=kind)[0] == 200
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def begin(connection: ssl.SSLSocket, proxy: ProxyProcess, token: str, disk: Path) -> None:
    """Sends two thirds of an upload, and waits until the server has begun with it."""
    connection.sendall(virtctl_post(proxy.port, token, len(DISK)) + DISK[: 2 * MiB])
    wait_until(lambda: any(disk.parent.iterdir()), "the upload is at work")


def test_a_second_client_is_told_that_one_is_at_work(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    with proxy.connected() as first:
        begin(first, proxy, token, disk)
        _, answer = virtctl(proxy, token, DISK)
        first.sendall(DISK[2 * MiB :])
        assert answer_on(first).status == 200
    assert answer.status == 503
    assert isinstance(server.ended(), Termination)


def test_a_client_that_is_cut_off_gives_the_slot_back(
    proxy: ProxyProcess, server: UploadServer, disk: Path, token: str
) -> None:
    with proxy.connected() as connection:
        begin(connection, proxy, token, disk)
    while (answer := virtctl(proxy, token, DISK)[1]).status == 503:
        pass  # the server has not heard of it yet
    assert answer.status == 200
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_a_client_that_stands_still_is_told_so(
    proxy: ProxyProcess, server: UploadServer, token: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("uploadproxy.server.channel.WITHIN_S", 0.5)
    with proxy.connected() as connection:
        connection.sendall(virtctl_post(proxy.port, token, len(DISK)) + DISK[:1000])
        answer = answer_on(connection)
    assert (answer.status, "[UploadStalled]" in answer.text) == (408, True)
