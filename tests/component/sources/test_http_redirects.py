"""Redirects: who gets the credentials, what is pinned, and when bytes may go on from elsewhere."""

from __future__ import annotations

import random
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from support.certificates import Authority
from support.faultserver import FaultServer, Route

from cdi.base.faults import Fault
from importer.sources import SourceSpec
from importer.sources.http import Address, HttpSource
from importer.sources.url import parse_http_url

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(6).randbytes(200_000)
OTHER = random.Random(7).randbytes(200_000)


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def test_a_loop_ends_after_ten_redirects(server: FaultServer, a_source: Make) -> None:
    fault = fault_of(a_source(server.add("/disk", Route(redirect="/disk?again", redirect_status=301))).probe)
    assert (fault.code, fault.values["limit"]) == ("RedirectLoop", 10)
    assert len(server.requests) == 11


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_the_final_url_is_pinned(server: FaultServer, a_source: Make, read: Read, status: int) -> None:
    server.add("/files/disk", Route(DATA))
    source = a_source(server.add("/latest", Route(redirect="files/disk", redirect_status=status)))
    assert source.probe().size == len(DATA)
    assert source.pinned_url == server.url("/files/disk")
    assert read(source.open(100, 50)) == DATA[100:150]
    assert [request.path for request in server.requests] == ["/latest", "/files/disk", "/files/disk"]
    assert server.connections == 1


def test_credentials_do_not_follow_to_another_host(
    server: FaultServer, other_server: FaultServer, a_source: Make, read: Read
) -> None:
    target = other_server.add("/disk", Route(DATA))
    url = server.add("/disk", Route(redirect=target))
    source = a_source(url, user="user", password="hunter2", headers=("x-a: 1",), secret_headers=("x-token: hunter2",))
    source.probe()
    read(source.open(0, 10))
    sent = server.requests[0].headers
    assert sent["authorization"].startswith("Basic ") and sent["x-a"] == "1" and sent["x-token"] == "hunter2"
    for request in other_server.requests:
        assert not {"authorization", "x-a", "x-token"} & set(request.headers)
    assert len(other_server.requests) == 2


def test_credentials_return_with_a_redirect_back_and_stay_on_the_same_origin(
    server: FaultServer, other_server: FaultServer, a_source: Make, read: Read
) -> None:
    final = server.add("/final", Route(DATA, requires=("x-token", "t")))
    back = other_server.add("/back", Route(redirect=final))
    source = a_source(server.add("/disk", Route(redirect=back)), secret_headers=("x-token: t",))
    source.probe()
    assert read(source.open(5, 5)) == DATA[5:10]
    assert "x-token" not in other_server.requests[0].headers


def test_https_never_leads_to_http(server: FaultServer, a_source: Make, tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    with FaultServer(tls=authority.issue("127.0.0.1").server_context()) as secure:
        plain = server.add("/disk", Route(DATA))
        fault = fault_of(a_source(secure.add("/disk", Route(redirect=plain)), ca_files=(authority.cert,)).probe)
        assert (fault.code, fault.values["last"]) == ("RedirectRefused", plain)
        assert server.requests == []
        up = a_source(server.add("/up", Route(redirect=secure.add("/ok", Route(DATA)))), ca_files=(authority.cert,))
        assert up.probe().size == len(DATA)


def test_a_redirect_without_location_is_refused(server: FaultServer, a_source: Make) -> None:
    fault = fault_of(a_source(server.add("/disk", Route(status=302))).probe)
    assert (fault.code, len(server.requests)) == ("SourceRefused", 1)


@pytest.mark.parametrize("gone", [403, 404, 410])
def test_a_final_url_that_expires_is_resolved_again(server: FaultServer, a_source: Make, read: Read, gone: int) -> None:
    server.add("/signed1", Route(DATA, after=(2, gone)))
    server.add("/signed2", Route(DATA))
    source = a_source(server.add("/disk", Route(redirect=lambda number: f"/signed{number}")))
    source.probe()
    assert read(source.open(0, 1000)) == DATA[:1000]
    assert read(source.open(1000, 1000)) == DATA[1000:2000]
    assert read(source.open(2000, 1000)) == DATA[2000:3000]
    assert server.statuses("/signed1") == [206, 206, gone]
    assert server.statuses("/signed2") == [206, 206]
    assert server.statuses("/disk") == [302, 302]


def test_a_file_that_is_gone_for_good_is_said_so(server: FaultServer, a_source: Make) -> None:
    server.add("/final", Route(DATA, after=(1, 404)))
    source = a_source(server.add("/disk", Route(redirect="/final")))
    source.probe()
    assert fault_of(lambda: source.open(0, 10)).code == "SourceNotFound"
    assert server.statuses("/disk") == [302, 302]


def test_a_failing_final_url_is_left_at_the_next_open(
    server: FaultServer, other_server: FaultServer, a_source: Make, read: Read
) -> None:
    first = other_server.add("/disk", Route(DATA, after=(1, 503)))
    second = server.add("/mirror", Route(DATA))
    url = server.add("/disk", Route(redirect=lambda number: first if number == 1 else second))
    source = a_source(url)
    source.probe()
    assert fault_of(lambda: source.open(0, 10)).code == "SourceUnavailable"
    assert read(source.open(0, 10)) == DATA[:10]
    assert source.pinned_url == second


def test_a_mirror_that_is_gone_is_left_at_the_next_open(server: FaultServer, a_source: Make, read: Read) -> None:
    second = server.add("/mirror", Route(DATA))
    with FaultServer("127.0.0.2") as mirror:
        first = mirror.add("/disk", Route(DATA))
        url = server.add("/disk", Route(redirect=lambda number: first if number == 1 else second))
        source = a_source(url)
        source.probe()
    assert fault_of(lambda: source.open(0, 10)).code in ("ConnectionRefused", "ConnectionLost")
    assert read(source.open(0, 10)) == DATA[:10]


@pytest.mark.parametrize(
    ("mirror", "trusted", "goes_on"),
    [
        (Route(DATA), False, True),
        (Route(DATA, etag=None), False, False),
        (Route(DATA, etag=None), True, True),
        (Route(DATA, etag='"mirror"'), True, True),
        (Route(DATA, etag='"mirror"'), False, False),
        (Route(DATA[:-1]), True, False),
    ],
    ids=["equal ETag", "no ETag", "no ETag, checksum", "other ETag, checksum", "other ETag", "other length, checksum"],
)
def test_another_mirror_continues_only_with_the_same_file(
    server: FaultServer,
    other_server: FaultServer,
    a_source: Make,
    read: Read,
    mirror: Route,
    trusted: bool,
    goes_on: bool,
) -> None:
    second = other_server.add("/disk", mirror)
    server.add("/first", Route(DATA, after=(1, 404)))
    source = a_source(server.add("/disk", Route(redirect=lambda number: "/first" if number == 1 else second)))
    source.trust_checksum = trusted
    source.probe()
    if goes_on:
        assert read(source.open(1000, 1000)) == DATA[1000:2000]
        assert read(source.open(5000, 1000)) == DATA[5000:6000]
        assert len(other_server.requests) == 2
    else:
        assert fault_of(lambda: source.open(1000, 1000)).code == "SourceChanged"


def test_a_mirror_per_request_is_asked_once(
    server: FaultServer, other_server: FaultServer, a_source: Make, read: Read
) -> None:
    places = [server.add("/m", Route(DATA)), other_server.add("/m", Route(OTHER))]
    source = a_source(server.add("/disk", Route(redirect=lambda number: places[(number - 1) % 2])))
    source.probe()
    assert read(source.open(0, None)) == DATA
    assert other_server.requests == []


def test_a_resolved_address_is_renewed_when_it_is_refused(server: FaultServer, read: Read) -> None:
    server.add("/key", Route(DATA, requires=("x-sig", "2")))
    calls: list[int] = []

    def resolve() -> Address:
        calls.append(1)
        if len(calls) == 2:
            server.add("/key", Route(DATA, requires=("x-sig", "2")))
        return Address(parse_http_url(server.url(f"/key?sig={len(calls)}"))[0], (("x-sig", str(len(calls))),))

    server.add("/key", Route(DATA, requires=("x-sig", "1")))
    source = HttpSource(SourceSpec("s3://bucket/key", user="key id", password="secret"), resolve)
    assert source.name == "s3://bucket/key"
    source.probe()
    server.add("/key", Route(DATA, requires=("x-sig", "2")))
    assert read(source.open(7, 7)) == DATA[7:14]
    assert read(source.open(14, 7)) == DATA[14:21]
    assert len(calls) == 2
    assert all("authorization" not in request.headers for request in server.requests)
    source.close()


def test_an_expired_address_is_renewed_before_it_is_used(server: FaultServer, read: Read) -> None:
    url = parse_http_url(server.add("/key", Route(DATA)))[0]
    calls: list[int] = []

    def resolve() -> Address:
        calls.append(1)
        return Address(url, expires_s=0.0 if len(calls) == 1 else None)

    source = HttpSource(SourceSpec("s3://bucket/key"), resolve)
    source.probe()
    assert read(source.open(0, 10)) == DATA[:10]
    assert (len(calls), server.statuses()) == (2, [206, 206])
    source.close()


def test_refusals_are_explained_by_who_knows_the_service(server: FaultServer) -> None:
    url = parse_http_url(server.add("/key", Route(status=404, status_body=b"<Code>NoSuchKey</Code>")))[0]

    def explain(status: int, headers: object, body: bytes) -> Fault | None:
        assert body == b"<Code>NoSuchKey</Code>"
        return Fault("S3NotFound", bucket="bucket", key="key", region="r", s3code="NoSuchKey")

    source = HttpSource(SourceSpec("s3://bucket/key"), lambda: Address(url), explain)
    assert fault_of(source.probe).code == "S3NotFound"
    source.close()


@pytest.mark.parametrize(
    "host",
    ["169.254.169.254", "[fe80::1]", "[::ffff:169.254.169.254]", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376"],
)
@pytest.mark.parametrize("way", ["directly", "by a redirect"])
def test_a_pod_fetches_nothing_from_the_nodes_own_addresses(
    server: FaultServer, a_source: Make, host: str, way: str
) -> None:
    """Nothing is sent there either: the fault is at once, and the connect would not be."""
    forbidden = f"http://{host}/latest/meta-data/"
    url = forbidden if way == "directly" else server.add("/disk", Route(redirect=forbidden))
    fault = fault_of(a_source(url, guarded=True).probe)
    assert (fault.code, fault.permanent) == ("AddressForbidden", True)


def test_a_name_that_moves_to_such_an_address_after_the_first_answer_is_not_followed(
    server: FaultServer, a_source: Make, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    source = a_source(server.add("/disk", Route(DATA, closes_silently=True)), guarded=True)
    source.probe()
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, port, **how: resolve("169.254.169.254", port, **how))
    assert fault_of(lambda: read(source.open(100, 50))).code == "AddressForbidden"


def test_a_proxy_is_the_administrators_choice(
    server: FaultServer, a_source: Make, read: Read, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.add("/disk", Route(DATA))
    proxy = f"http://{server.host}:{server.port}"
    source = a_source("http://169.254.169.254/disk", guarded=True, environ={"http_proxy": proxy})
    assert source.probe().size == len(DATA)
