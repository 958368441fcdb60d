"""Sessions through proxy and server, over real TLS on both hops, with clients that others wrote."""

from __future__ import annotations

import io
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from support.apiserver import ApiServer
from support.cuttingrelay import CuttingRelay
from support.ports import free_port
from support.sessions import SESSIONS, Holder
from support.sizelimit import size_limit
from support.uploading import UploadServer
from support.uploadproxy import Claims, Installed, ProxyProcess, Trust
from support.webhooks import Kubectl
from tusclient.client import TusClient

from cdi.base.units import MiB
from cdi.base.wire.termination import Termination
from cdi.contract import annotations as a

DISK = random.Random(5).randbytes(3 * MiB)
PORT = free_port()
TUS = {"Tus_Resumable": "1.0.0"}


@pytest.fixture(scope="module")
def proxy(api: ApiServer, kubectl: Kubectl, trust: Trust) -> Iterator[ProxyProcess]:
    with ProxyProcess(api, kubectl, trust, PORT) as made:
        yield made


@pytest.fixture
def server(disk: Path, installed: Installed, holder: Holder) -> Iterator[UploadServer]:
    told = {"UPLOAD_IMAGE_SIZE": "2Gi", "LISTEN_PORT": str(PORT), **holder.variables()}
    with UploadServer(disk, installed, **told) as made:
        yield made


def opened(proxy: ProxyProcess, holder: Holder, length: int) -> str:
    sent = {**TUS, "Upload_Length": str(length), "Origin": "https://page.example"}
    status, _, headers = proxy.asked("POST", SESSIONS, holder.token(), **sent)
    assert (status, headers["Tus-Resumable"]) == (201, "1.0.0")
    exposed = headers["Access-Control-Expose-Headers"]
    assert {"Location", "Upload-Offset", "Upload-Length", "Tus-Resumable"} <= set(exposed.split(", "))
    return headers["Location"]


def test_tuspy_uploads_in_pieces(
    proxy: ProxyProcess, server: UploadServer, disk: Path, holder: Holder, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trust.proxies.cert))
    url = f"https://127.0.0.1:{proxy.port}{SESSIONS}"
    client = TusClient(url, headers={"Authorization": f"Bearer {holder.token()}"})
    uploader = client.uploader(file_stream=io.BytesIO(DISK), chunk_size=700_000)
    uploader.upload()
    assert uploader.offset == len(DISK)
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_tuspy_with_checksums_goes_on_where_another_one_stopped(
    proxy: ProxyProcess, server: UploadServer, disk: Path, holder: Holder, trust: Trust, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(trust.proxies.cert))
    url = f"https://127.0.0.1:{proxy.port}{SESSIONS}"
    client = TusClient(url, headers={"Authorization": f"Bearer {holder.token()}"})
    first = client.uploader(file_stream=io.BytesIO(DISK), chunk_size=1_000_000, upload_checksum=True)
    first.upload(stop_at=1_500_000)
    second = TusClient(url).uploader(file_stream=io.BytesIO(DISK), chunk_size=1_000_000, url=first.url)
    assert 1_000_000 <= second.offset < len(DISK)
    second.upload()
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


def sent_with_cuts(relay: CuttingRelay, path: str, image: Path, trust: Trust) -> int:
    """As a client that does not know how much of what it sent came; how often it was cut."""
    url, verify = f"https://127.0.0.1:{relay.port}{path}", str(trust.proxies.cert)
    failures = 0
    while True:
        said = requests.head(url, headers={"Tus-Resumable": "1.0.0"}, verify=verify, timeout=60)
        headers = {"Tus-Resumable": "1.0.0", "Upload-Offset": said.headers["Upload-Offset"]}
        headers["Content-Type"] = "application/offset+octet-stream"
        with image.open("rb") as file:
            file.seek(int(said.headers["Upload-Offset"]))
            try:
                said = requests.patch(url, file, headers=headers, verify=verify, timeout=300)
            except requests.ConnectionError:
                failures += 1
                continue
        assert said.status_code == 204, said.text
        return failures


@pytest.mark.parametrize("size", [64 * MiB, pytest.param(2048 * MiB, marks=pytest.mark.slow)])
def test_a_network_that_cuts_five_times_costs_little(
    proxy: ProxyProcess, server: UploadServer, disk: Path, holder: Holder, trust: Trust, size: int
) -> None:
    image = disk.parents[1] / "image"
    with image.open("wb") as file:
        noise = random.Random(4)
        for _ in range(size // MiB):
            file.write(noise.randbytes(MiB))
    path = opened(proxy, holder, size)
    with CuttingRelay(proxy.port, [number * size // 6 for number in range(1, 6)]) as relay:
        assert sent_with_cuts(relay, path, image, trust) == 5
        # What lies in sockets between client and server is lost with each of them: some MiB on loopback.
        assert relay.came - size <= 5 * 12 * MiB
        print(f"{relay.came / size:.4f} of {size // MiB} MiB were sent")
    assert isinstance(server.ended(), Termination)
    with image.open("rb") as file, disk.open("rb") as made:
        while piece := file.read(MiB):
            assert made.read(MiB) == piece


def test_nginx_with_a_limit_of_the_body_lets_pieces_through(
    proxy: ProxyProcess, server: UploadServer, disk: Path, holder: Holder, trust: Trust, tmp_path: Path
) -> None:
    data = random.Random(4).randbytes(80 * MiB)
    (tmp_path / "nginx").mkdir()
    with size_limit(tmp_path / "nginx", proxy.port, "64m") as port:
        headers = {"Authorization": f"Bearer {holder.token()}"}
        client = TusClient(f"http://127.0.0.1:{port}{SESSIONS}", headers=headers)
        whole = requests.post(f"http://127.0.0.1:{port}/v1beta1/upload", data, headers=headers, timeout=60)
        assert whole.status_code == 413
        client.uploader(file_stream=io.BytesIO(data), chunk_size=60 * MiB).upload()
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(data)] == data


def test_who_knows_no_location_learns_nothing(
    proxy: ProxyProcess, server: UploadServer, holder: Holder, claims: Claims
) -> None:
    path = opened(proxy, holder, len(DISK))
    namespace, name, uid = holder.claim
    claims.make(f"{name}-finished", {a.UPLOAD_TARGET: "", a.POD_PHASE: "Succeeded"})
    wrong = [path[:-1], f"{path}x", f"{SESSIONS}/{namespace}/{name}/0/x", f"{SESSIONS}/{namespace}/none/{uid}/x"]
    wrong += [
        f"{SESSIONS}/default/{name}/{uid}/x",
        f"{SESSIONS}/{namespace}/{name}-finished/{uid}/x",
        f"{SESSIONS}/../x",
    ]
    said = [proxy.asked("DELETE", each, **TUS) for each in wrong]
    assert {(status, text.strip()) for status, text, _ in said} == {(404, said[0][1].strip())}
    assert "[UploadSessionUnknown]" in said[0][1]
    assert proxy.asked("HEAD", path, **TUS)[0] == 200
    assert proxy.asked("POST", SESSIONS, Upload_Length="5", **TUS)[0] == 400
    assert path.rpartition("/")[2] not in proxy.log.read_text()


def test_discovery_needs_no_token(proxy: ProxyProcess) -> None:
    status, _, headers = proxy.asked("OPTIONS", SESSIONS)
    assert (status, headers["Tus-Version"]) == (204, "1.0.0")
    asked = {"Access_Control_Request_Method": "PATCH", "Access_Control_Request_Headers": "upload-offset", "Origin": "x"}
    status, _, headers = proxy.asked("OPTIONS", f"{SESSIONS}/a/b/c/d", **asked)
    assert (status, headers["Access-Control-Allow-Methods"]) == (200, "PATCH")
