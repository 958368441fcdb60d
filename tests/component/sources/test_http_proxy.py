"""Through a real tinyproxy, and through a TLS proxy."""

from __future__ import annotations

import random
import select
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.certificates import Authority
from support.faultserver import FaultServer, Route
from support.ports import free_port
from support.proxy import TinyProxy

from cdi.base.faults import Fault
from importer.sources.http import HttpSource

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(10).randbytes(500_000)


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("ca"))


@pytest.fixture(scope="module")
def secure(authority: Authority) -> Iterator[FaultServer]:
    with FaultServer(tls=authority.issue("127.0.0.1").server_context()) as server:
        server.add("/disk", Route(DATA))
        yield server


@pytest.fixture(scope="module")
def proxy(secure: FaultServer) -> Iterator[TinyProxy]:
    with TinyProxy((secure.port,), credentials=("proxyuser", "hunter2")) as proxy:
        yield proxy


def test_http_goes_through_the_proxy_with_its_credentials(
    server: FaultServer, proxy: TinyProxy, a_source: Make, read: Read
) -> None:
    url = server.add("/disk", Route(DATA))
    source = a_source(url, environ={"http_proxy": proxy.url("proxyuser:hunter2")})
    assert source.probe().size == len(DATA)
    assert read(source.open(1000, 1000)) == DATA[1000:2000]
    for request in server.requests:
        assert "tinyproxy" in request.headers["via"]
        assert request.headers["user-agent"] == "cdi-golang-importer"
        assert "proxy-authorization" not in request.headers


def test_https_tunnels_through_the_proxy_with_its_credentials(
    secure: FaultServer, proxy: TinyProxy, authority: Authority, a_source: Make, read: Read
) -> None:
    environ = {"HTTPS_PROXY": proxy.url("proxyuser:hunter2")}
    source = a_source(secure.url("/disk"), ca_files=(authority.cert,), environ=environ)
    assert source.probe().size == len(DATA)
    assert read(source.open(0, None)) == DATA
    assert f"CONNECT 127.0.0.1:{secure.port}" in proxy.log()
    assert "via" not in secure.requests[-1].headers  # end to end


@pytest.mark.parametrize(
    ("scheme", "userinfo", "code"),
    [
        ("http", "", "ProxyRefused"),
        ("https", "", "ProxyRefused"),
        ("https", "proxyuser:wrong", "ProxyRefused"),
        # tinyproxy answers wrong credentials with 401 and not 407: in a forwarded answer that reads like the server's.
        ("http", "proxyuser:wrong", "SourceUnauthorized"),
    ],
)
def test_a_proxy_that_wants_other_credentials(
    secure: FaultServer, server: FaultServer, proxy: TinyProxy, a_source: Make, scheme: str, userinfo: str, code: str
) -> None:
    server.add("/disk", Route(DATA))
    url = (server if scheme == "http" else secure).url("/disk")
    fault = fault_of(a_source(url, environ={f"{scheme}_proxy": proxy.url(userinfo)}).probe)
    assert fault.code == code
    assert "wrong" not in fault.message
    assert server.requests == []


def test_a_proxy_that_does_not_tunnel_there(proxy: TinyProxy, authority: Authority, a_source: Make) -> None:
    with FaultServer(tls=authority.issue("127.0.0.1").server_context()) as forbidden:
        environ = {"https_proxy": proxy.url("proxyuser:hunter2")}
        fault = fault_of(a_source(forbidden.add("/disk", Route(DATA)), environ=environ).probe)
    assert (fault.code, str(fault.values["status"])[:3]) == ("ProxyRefused", "403")


def test_a_server_behind_the_proxy_that_is_down_is_worth_another_try(a_source: Make) -> None:
    port = free_port()
    with TinyProxy((port,)) as proxy:
        fault = fault_of(a_source(f"https://127.0.0.1:{port}/disk", environ={"https_proxy": proxy.url()}).probe)
    assert (fault.code, fault.permanent) == ("SourceUnavailable", False)


def test_no_proxy_goes_directly(server: FaultServer, a_source: Make) -> None:
    url = server.add("/disk", Route(DATA))
    environ = {"http_proxy": "http://127.0.0.1:1", "NO_PROXY": "example.com,127.0.0.0/8"}
    assert a_source(url, environ=environ).probe().size == len(DATA)


def test_a_proxy_that_is_gone_is_named(server: FaultServer, a_source: Make) -> None:
    port = free_port()
    url = server.add("/disk", Route(DATA))
    fault = fault_of(a_source(url, environ={"http_proxy": f"http://127.0.0.1:{port}"}).probe)
    assert (fault.code, fault.values["host"]) == ("ConnectionRefused", f"the proxy 127.0.0.1:{port}")


class TlsFront:
    """Ends TLS and passes bytes on to ``port``: makes an https proxy of tinyproxy."""

    def __init__(self, authority: Authority, port: int) -> None:
        self._context = authority.issue("127.0.0.1").server_context()
        self._target = port
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        try:
            front = self._context.wrap_socket(peer, server_side=True, suppress_ragged_eofs=True)
            back = socket.create_connection(("127.0.0.1", self._target))
            with front, back:
                while True:
                    ready = [front] if front.pending() else select.select([front, back], [], [])[0]
                    for one, other in ((front, back), (back, front)):
                        if one in ready:
                            data = one.recv(65536)
                            if not data:
                                return
                            other.sendall(data)
        except OSError:
            pass  # the client is done

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_may_itself_be_behind_tls(
    server: FaultServer, secure: FaultServer, authority: Authority, a_source: Make, read: Read, scheme: str
) -> None:
    server.add("/disk", Route(DATA))
    with TinyProxy((secure.port,)) as proxy:
        front = TlsFront(authority, proxy.port)
        url = (server if scheme == "http" else secure).url("/disk")
        environ = {f"{scheme}_proxy": f"https://127.0.0.1:{front.port}"}
        source = a_source(url, ca_files=(authority.cert,), environ=environ)
        assert source.probe().size == len(DATA)
        assert read(source.open(0, None)) == DATA
        assert read(source.open(5, 5)) == DATA[5:10]
        untrusting = a_source(url, environ=environ)
        assert fault_of(untrusting.probe).values["host"] == f"the proxy 127.0.0.1:{front.port}"
        source.close()
        front.close()


def test_unusable_proxies_are_named(server: FaultServer, a_source: Make, tmp_path: Path) -> None:
    fault = fault_of(a_source(server.url("/disk"), environ={"http_proxy": "socks5://u:hunter2@h:1"}).probe)
    assert fault.code == "ProxyUnusable" and "hunter2" not in fault.message
