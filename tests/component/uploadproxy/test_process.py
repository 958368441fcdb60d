"""cdi-uploadproxy as a process: certificates and terms that change while it runs, and its end."""

from __future__ import annotations

import json
import shutil
import signal
import socket
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.apiserver import ApiServer
from support.certificates import Authority, Pair
from support.controller import wait_until
from support.receiver import Conduct, Receiver
from support.uploadproxy import Claims, ProxyProcess, Trust, answer_on, sent, virtctl_post
from support.webhooks import Kubectl

from uploadproxy.proxy.listening import LARGEST_CROWD

POST = "/v1beta1/upload"


def replaced(old: Pair, new: Pair) -> None:
    for before, after in ((old.cert, new.cert), (old.key, new.key)):
        shutil.copy(after, before.with_suffix(".new"))
        before.with_suffix(".new").rename(before)


def shown_by(proxy: ProxyProcess) -> bytes:
    with proxy.connected() as connection:
        return connection.getpeercert(binary_form=True) or b""


def handshake(proxy: ProxyProcess, version: ssl.TLSVersion) -> bool:
    context = proxy.trust.client_context()
    context.minimum_version = context.maximum_version = version
    try:
        with (
            socket.create_connection(("127.0.0.1", proxy.port), 10) as raw,
            context.wrap_socket(raw, server_hostname="127.0.0.1"),
        ):
            return True
    except ssl.SSLError:
        return False


def test_it_is_healthy_and_knows_no_other_path(proxy: ProxyProcess) -> None:
    status, text, headers = proxy.asked("GET", "/healthz")
    assert (status, text, headers["Server"]) == (200, "OK", None)
    for path in ("/v1beta1/upload-archive", "/v1/upload", "/", "/v1beta1/upload/"):
        status, _, headers = proxy.asked("POST", path, "t", b"", Origin="foo.bar.com")
        assert (status, headers["Access-Control-Allow-Origin"]) == (404, "*")


def test_a_browser_may_ask_first(proxy: ProxyProcess) -> None:
    status, text, headers = proxy.asked(
        "OPTIONS",
        "/v1beta1/upload-form-async",
        Origin="foo.bar.com",
        Access_Control_Request_Method="POST",
        Access_Control_Request_Headers="authorization,content-type",
    )
    assert (status, text) == (200, "")
    assert headers["Access-Control-Allow-Origin"] == "*"
    assert headers["Access-Control-Allow-Methods"] == "POST"
    assert headers["Access-Control-Allow-Headers"] == "authorization,content-type"
    assert headers["Access-Control-Allow-Credentials"] is None


def test_a_new_certificate_is_served(proxy: ProxyProcess, trust: Trust) -> None:
    before = shown_by(proxy)
    replaced(trust.served, trust.proxies.issue("cdi-uploadproxy", "IP:127.0.0.1"))
    wait_until(lambda: shown_by(proxy) != before, "the new certificate is served")


def test_new_authorities_count_at_the_next_request(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, kubectl: Kubectl, name: str, tmp_path: Path
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    other = Authority(tmp_path / "other", "another signer")
    receiver.use(other.issue("upload server", "DNS:*.uploads.svc"), trust.clients)
    assert "[UploadServerUntrusted]" in proxy.asked("POST", POST, token, b"disk")[1]
    trust.publish(kubectl, other.cert)
    assert proxy.asked("POST", POST, token, b"disk")[0] == 200
    trust.publish(kubectl)
    assert proxy.asked("POST", POST, token, b"disk")[0] == 502
    receiver.use(trust.servers.issue("upload server", "DNS:*.uploads.svc"), trust.clients)
    assert proxy.asked("POST", POST, token, b"disk")[0] == 200


def test_a_new_client_certificate_is_shown_and_a_wrong_one_is_said(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    replaced(trust.shown, trust.servers.issue("somebody", ""))
    status, text, _ = proxy.asked("POST", POST, token, b"disk")
    assert status == 502 and text.startswith("error in upload-proxy: http: proxy error: [UploadServer")
    replaced(trust.shown, trust.clients.issue("another name", ""))
    assert proxy.asked("POST", POST, token, b"disk")[0] == 200
    assert receiver.taken[-1].client == "another name"


def test_without_authorities_nothing_can_be_reached(
    proxy: ProxyProcess, trust: Trust, claims: Claims, kubectl: Kubectl, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    kubectl.done("delete", "configmap", "cdi-uploadserver-signer-bundle", "-n", "cdi")
    status, text, _ = proxy.asked("POST", POST, token, b"disk")
    trust.publish(kubectl)
    assert status == 500 and "[UploadProxyUnable]" in text
    assert proxy.asked("POST", POST, token, b"disk")[0] == 200


def test_the_terms_of_tls_are_the_configuration_s(proxy: ProxyProcess, kubectl: Kubectl) -> None:
    config = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "CDIConfig", "metadata": {"name": "config"}, "spec": {}}
    kubectl.done("create", "-f", "-", objects=config)

    def profiled(name: str) -> None:
        spec = {"spec": {"tlsSecurityProfile": {"type": name, name.lower(): {}}}}
        kubectl.done("patch", "cdiconfig", "config", "--type=merge", "-p", json.dumps(spec))

    profiled("Modern")
    wait_until(lambda: not handshake(proxy, ssl.TLSVersion.TLSv1_2), "TLS 1.2 is refused")
    assert handshake(proxy, ssl.TLSVersion.TLSv1_3)
    profiled("Intermediate")
    wait_until(lambda: handshake(proxy, ssl.TLSVersion.TLSv1_2), "TLS 1.2 is accepted")


@pytest.fixture
def leaving(api: ApiServer, kubectl: Kubectl, trust: Trust, receiver: Receiver) -> Iterator[ProxyProcess]:
    with ProxyProcess(api, kubectl, trust, receiver.port) as made:
        yield made


def test_an_upload_that_runs_ends_before_the_process_does(
    leaving: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token, length, piece = trust.token("uploads", name, claims.make(name)), 64 << 20, bytes(1 << 20)
    receiver.conduct = Conduct(answer_when=threading.Event())
    with leaving.connected() as connection:
        connection.sendall(virtctl_post(leaving.port, token, length))
        half = sent(connection, length // 2, piece)
        leaving.signal(signal.SIGTERM)
        wait_until(lambda: "asked to stop" in leaving.log.read_text(), "it heard the signal")
        sent(connection, length - half, piece)
        receiver.wait_for(lambda: bool(receiver.taken) and receiver.taken[0].whole)
        receiver.conduct.answer_when.set()  # type: ignore[union-attr]
        answer = answer_on(connection)
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert leaving.ended() == 0
    assert "Traceback" not in leaving.log.read_text()


def test_connections_that_say_nothing_make_room_for_one_that_does(
    leaving: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    receiver.conduct = Conduct(hold=threading.Event())
    with leaving.connected() as working:
        working.sendall(virtctl_post(leaving.port, token, 8) + b"disk")
        receiver.wait_for(lambda: bool(receiver.taken))
        silent = [leaving.connected() for _ in range(LARGEST_CROWD + 20)]
        assert leaving.asked("GET", "/healthz")[:2] == (200, "OK")
        closed = [one.recv(1) for one in silent[:20]]
        receiver.conduct.hold.set()  # type: ignore[union-attr]
        working.sendall(b"disk")
        assert answer_on(working).status == 200
    assert closed == [b""] * 20
    for one in silent:
        one.close()
