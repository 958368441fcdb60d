"""Uploads through a running cdi-uploadproxy: what is passed on, and what a client reads where nothing is."""

from __future__ import annotations

import hashlib
import random
import threading

import pytest
from support.controller import wait_until
from support.receiver import Conduct, Receiver
from support.uploadproxy import (
    CLIENT_NAME,
    READY,
    Claims,
    ProxyProcess,
    Trust,
    answer_on,
    sent,
    virtctl_head,
    virtctl_post,
)

from cdi.contract import annotations as a
from cdi.contract import names
from cdi.trust.tokens import key_pair
from uploadproxy.proxy.paths import PATHS

PIECE = random.Random(1).randbytes(1 << 20)
POST = "/v1beta1/upload-async"


def begun(token: str, *, chunked: bool) -> bytes:
    """An upload and the first 4 bytes of its body, of 100 where it is not chunked."""
    framing = "Transfer-Encoding: chunked" if chunked else "Content-Length: 100"
    head = f"POST {POST} HTTP/1.1\r\nHost: p\r\nAuthorization: Bearer {token}\r\n{framing}\r\n\r\n"
    return head.encode() + (b"4\r\ndisk\r\n" if chunked else b"disk")


def test_what_virtctl_sends_arrives_byte_for_byte(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    body = PIECE + PIECE[:4711]
    with proxy.connected() as connection:
        connection.sendall(virtctl_head(proxy.port, token))
        probed = answer_on(connection, "HEAD")
        connection.sendall(virtctl_post(proxy.port, token, len(body)) + body)
        answer = answer_on(connection)
    assert (probed.status, probed.headers["Vary"]) == (200, "Origin")
    assert (answer.status, answer.text, answer.headers["X-Server"]) == (200, "", "receiver")
    head, post = receiver.taken
    assert (head.method, head.path, post.method, post.path) == ("HEAD", POST, "POST", POST)
    assert post.whole and post.digest == hashlib.sha256(body).hexdigest()
    assert post.headers["content-length"] == str(len(body))
    assert post.headers["content-type"] == "application/octet-stream"
    assert post.headers["accept-encoding"] == "gzip"
    assert post.headers["host"].startswith(f"{names.upload_service(name)}.uploads.svc")
    assert post.headers["x-forwarded-for"] == "127.0.0.1"
    assert post.client == CLIENT_NAME


@pytest.mark.parametrize("path", PATHS)
def test_every_path_leads_to_the_server_s_own(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str, path: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    assert proxy.asked("POST", f"{path}?x=%2F", token, b"disk")[:2] == (200, "")
    assert [(taken.path, taken.length) for taken in receiver.taken] == [(f"{path}?x=%2F", 4)]


@pytest.mark.parametrize(("path", "to"), [(path, f"/{path.split('/')[1]}/upload-archive") for path in PATHS])
def test_an_archive_has_one_path(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str, path: str, to: str
) -> None:
    token = trust.token("uploads", name, claims.make(name, READY | {a.CONTENT_TYPE: "archive"}))
    assert proxy.asked("POST", path, token, b"tar")[0] == 200
    assert [taken.path for taken in receiver.taken] == [to]


def test_pvc_prime_gets_what_is_uploaded_to_its_target(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    uid = claims.make(name, {}, source="upload")
    prime = names.prime(uid)
    claims.make(prime, owner=uid)
    claims.annotate(name, **{a.PRIME: prime})
    assert proxy.asked("POST", POST, trust.token("uploads", name, uid), b"disk")[0] == 200
    assert receiver.taken[0].headers["host"].startswith(f"{names.upload_service(prime)}.uploads.svc")


def test_a_server_that_becomes_ready_is_waited_for(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name, {a.UPLOAD_TARGET: "", a.POD_PHASE: "Pending"}))
    answers: list[int] = []

    def repeat() -> None:
        while (status := proxy.asked("POST", POST, token, b"disk")[0]) == 503:
            pass  # on a busy machine more than its patience passes until the claim says so
        answers.append(status)

    waiting = threading.Thread(target=repeat)
    waiting.start()
    claims.annotate(name, **READY)
    waiting.join()
    assert answers == [200]


@pytest.mark.slow
def test_a_client_is_held_up_by_a_slow_server_and_nothing_is_kept(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token, length = trust.token("uploads", name, claims.make(name)), 1 << 30
    receiver.conduct = Conduct(hold=threading.Event())
    proxy.asked("GET", "/healthz")
    before = proxy.peak
    done: list[int] = []
    with proxy.connected() as connection:
        connection.sendall(virtctl_post(proxy.port, token, length))
        sending = threading.Thread(target=lambda: done.append(sent(connection, length, PIECE)))
        sending.start()
        receiver.wait_for(lambda: bool(receiver.taken))
        sending.join(3.0)
        assert not done, "1 GiB went into a server that reads nothing"
        assert proxy.peak < before + (24 << 20)
        receiver.conduct.hold.set()  # type: ignore[union-attr]
        sending.join()
        assert answer_on(connection).status == 200
    assert (receiver.taken[0].length, receiver.taken[0].whole) == (length, True)
    assert proxy.peak < before + (24 << 20)


def test_a_body_without_a_length_is_passed_on_as_it_comes(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    with proxy.connected() as connection:
        connection.sendall(begun(token, chunked=True))
        receiver.wait_for(lambda: bool(receiver.taken) and receiver.taken[0].length == 4)
        connection.sendall(b"3\r\nend\r\n0\r\n\r\n")
        assert answer_on(connection).status == 200
    assert receiver.taken[0].digest == hashlib.sha256(b"diskend").hexdigest()


def test_who_asks_whether_to_send_is_told_when_the_server_is_there(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    head = f"PUT {POST} HTTP/1.1\r\nHost: p\r\nAuthorization: Bearer {{}}\r\nContent-Length: 4\r\n"
    head += "Expect: 100-continue\r\n\r\n"
    with proxy.connected() as connection:
        connection.sendall(head.format(token).encode())
        assert connection.recv(64) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(b"disk")
        assert answer_on(connection).status == 200
    with proxy.connected() as connection:
        connection.sendall(head.format("nonsense").encode())
        assert answer_on(connection).status == 401
    assert [taken.method for taken in receiver.taken] == ["PUT"]


def test_a_compressed_body_is_not_unpacked_here(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    assert proxy.asked("POST", POST, token, b"no gzip", Content_Encoding="gzip")[0] == 200
    taken = receiver.taken[0]
    assert (taken.length, taken.headers["content-encoding"]) == (7, "gzip")


def test_heads_share_a_connection_and_bodies_get_one_each(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    for method, body in (("HEAD", None), ("HEAD", None), ("POST", b"a"), ("PUT", b"b")):
        assert proxy.asked(method, POST, token, body)[0] == 200
    first, second, post, put = (taken.connection for taken in receiver.taken)
    assert first == second and len({first, post, put}) == 3


@pytest.mark.parametrize("at", [0, 3 << 20])
def test_a_server_s_early_refusal_reaches_a_client_that_still_sends(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str, at: int
) -> None:
    token, length = trust.token("uploads", name, claims.make(name)), 64 << 20
    receiver.conduct = Conduct(status=409, text="an upload is already done", refuse_at=at)
    with proxy.connected() as connection:
        connection.sendall(virtctl_post(proxy.port, token, length))
        assert sent(connection, length, PIECE) == length
        answer = answer_on(connection)
    assert (answer.status, answer.text) == (409, "an upload is already done")


def test_our_own_refusal_reaches_a_client_that_still_sends(proxy: ProxyProcess, receiver: Receiver) -> None:
    with proxy.connected() as connection:
        connection.sendall(virtctl_post(proxy.port, "nonsense", 64 << 20))
        assert sent(connection, 64 << 20, PIECE) == 64 << 20
        assert answer_on(connection).status == 401
    assert not receiver.taken


def test_a_server_that_vanishes_is_said_and_its_body_not_sent_twice(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    receiver.conduct = Conduct(vanish_at=1)
    status, text, _ = proxy.asked("PUT", POST, token, b"x" * 100)
    assert (status, len(receiver.taken)) == (502, 1)
    assert text.startswith("error in upload-proxy: http: proxy error: [UploadServerLost]")


@pytest.mark.parametrize("chunked", [False, True])
def test_what_a_client_cuts_off_does_not_end_as_if_it_were_whole(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str, chunked: bool
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    with proxy.connected() as connection:
        connection.sendall(begun(token, chunked=chunked))
        receiver.wait_for(lambda: bool(receiver.taken) and receiver.taken[0].length == 4)
    receiver.wait_for(lambda: bool(receiver.taken[0].digest))
    assert not receiver.taken[0].whole


def test_a_body_that_breaks_http_is_refused_and_does_not_end_as_if_it_were_whole(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name))
    with proxy.connected() as connection:
        connection.sendall(begun(token, chunked=True))
        receiver.wait_for(lambda: bool(receiver.taken) and receiver.taken[0].length == 4)
        connection.sendall(b"zz\r\n")
        answer = answer_on(connection)
    assert answer.status == 400 and "[UploadBodyUnreadable]" in answer.text
    receiver.wait_for(lambda: bool(receiver.taken[0].digest))
    assert not receiver.taken[0].whole


def test_ten_thousand_headers_are_refused(proxy: ProxyProcess, receiver: Receiver) -> None:
    with proxy.connected() as connection:
        connection.sendall(b"POST /v1beta1/upload HTTP/1.1\r\n" + b"X-Header: of nothing\r\n" * 10_000 + b"\r\n")
        answer = answer_on(connection)
    assert answer.status == 400 and "at most 128 headers" in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


@pytest.mark.slow
def test_who_does_not_say_what_is_wanted_is_left(proxy: ProxyProcess) -> None:
    with proxy.connected() as connection:
        connection.sendall(b"POST /v1beta1/upload HTTP/1.1\r\nHost: p\r\n")
        assert connection.recv(64) == b""


def test_tokens_are_looked_at_one_by_one(proxy: ProxyProcess, trust: Trust, claims: Claims, name: str) -> None:
    claims.make(name)
    cases = {
        "": (400, "UploadTokenMissing"),
        "a token with spaces": (400, "UploadTokenMissing"),
        trust.token("uploads", name, age_s=400): (401, "UploadTokenRefused"),
        trust.token("uploads", name, keys=key_pair()): (401, "UploadTokenRefused"),
        trust.token("uploads", name, "0f4a-of-a-former-claim"): (401, "UploadTokenOutdated"),
        trust.token("uploads", f"{name}-other"): (503, "UploadClaimMissing"),
        trust.token("elsewhere", name): (503, "UploadClaimMissing"),
        trust.token("uploads", ".."): (400, "UploadTokenUnfit"),
    }
    for token, (status, code) in cases.items():
        answered, text, headers = proxy.asked("POST", POST, token, b"disk", Origin="foo.bar.com")
        assert (answered, f"[{code}]" in text) == (status, True), text
        assert headers["Access-Control-Allow-Origin"] == "*" and headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("annotations", "code"),
    [
        ({}, "UploadUnasked"),
        (READY | {a.POD_PHASE: "Succeeded"}, "UploadFinished"),
        (READY | {a.CONTENT_TYPE: "<b>tape</b>"}, "UploadContentUnknown"),
    ],
)
def test_claims_that_take_nothing_are_said_at_once(
    proxy: ProxyProcess,
    receiver: Receiver,
    trust: Trust,
    claims: Claims,
    name: str,
    annotations: dict[str, str],
    code: str,
) -> None:
    token = trust.token("uploads", name, claims.make(name, annotations))
    status, text, headers = proxy.asked("POST", POST, token, b"disk")
    assert (status, f"[{code}]" in text, "<" in text) == (503, True, False), text
    assert headers["Content-Type"].startswith("text/plain") and headers["X-Content-Type-Options"] == "nosniff"
    assert not receiver.taken


@pytest.mark.slow
def test_a_server_that_does_not_become_ready_is_said_after_ten_seconds(
    proxy: ProxyProcess, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", name, claims.make(name, {a.UPLOAD_TARGET: "", a.POD_PHASE: "Pending"}))
    status, text, _ = proxy.asked("POST", POST, token, b"disk")
    assert status == 503 and text.startswith("context deadline exceeded [UploadNotReady]")
    assert "its pod is Pending" in text


def test_a_name_that_nobody_knows_is_tried_for_a_while(
    proxy: ProxyProcess, trust: Trust, claims: Claims, name: str
) -> None:
    token = trust.token("uploads", f"unknown-{name}", claims.make(f"unknown-{name}"))
    status, text, _ = proxy.asked("POST", POST, token, b"disk")
    assert status == 502 and text.startswith("error in upload-proxy: http: proxy error: [UploadServerUnreachable]")


def test_a_server_of_another_name_gets_nothing(
    proxy: ProxyProcess, receiver: Receiver, trust: Trust, claims: Claims, kubectl: object, name: str
) -> None:
    other = Claims(claims._kubectl, "elsewhere")
    claims._kubectl.done("create", "namespace", "elsewhere")
    token = trust.token("elsewhere", name, other.make(name))
    status, text, _ = proxy.asked("POST", POST, token, b"disk")
    assert status == 502 and "[UploadServerUntrusted]" in text
    assert not receiver.taken


def test_nothing_of_a_token_is_logged(proxy: ProxyProcess, trust: Trust, claims: Claims, name: str) -> None:
    token = trust.token("uploads", name, claims.make(name))
    proxy.asked("POST", POST, token, b"disk")
    proxy.asked("POST", POST, f"{token}x", b"disk")
    with proxy.connected() as connection:
        connection.sendall(f"POST {POST} HTTP/1.1\r\nAuthorization : Bearer {token}\r\n\r\n".encode())
        assert answer_on(connection).status == 400
    wait_until(lambda: f"uploads/{name}: 200" in proxy.log.read_text(), "the upload is logged")
    said = proxy.log.read_text()
    assert all(part not in said for part in token.split(".")) and "Traceback" not in said
