"""Whatever a user, a file or a server writes: every reader of texts answers with a value or a Fault."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from cdi.base.faults import Fault
from importer.fetch.retry import Patience, RetryPolicy
from importer.sources import SourceSpec
from importer.sources.answers import (
    content_coding,
    known_date,
    parse_content_range,
    printable,
    retry_after_seconds,
    strong_etag,
    unspoken_schemes,
)
from importer.sources.chunks import Chunks
from importer.sources.connection import Route
from importer.sources.credentials import credentials_of
from importer.sources.file import path_of
from importer.sources.guard import is_forbidden
from importer.sources.head import Headers, read_head
from importer.sources.incoming import BadAnswer, Ended, Incoming
from importer.sources.pool import Request, _lines
from importer.sources.proxy import basic_authorization, choose_proxy
from importer.sources.redirects import next_hop
from importer.sources.s3_access import choose_access
from importer.sources.s3_errors import read_error
from importer.sources.s3_url import as_region, parse_s3_url, region_of_host
from importer.sources.table import open_source
from importer.sources.url import Userinfo, display_name, parse_http_url, resource_of

BASE = parse_http_url("https://host/file")[0]

# Empty, blank, negative, of other scripts, too long, cut, halves of characters, and what others take for a number.
ODD = (
    "", " ", "\t", "\n", "\0", "-", "-1", "+1", "0", "00", "01", "1.", ".", "..", ":", "::", "/", "//", "@", "#", "?",
    "%", "%0", "%zz", "%00", "[", "]", "[]", "[::1", "[::1]", "²", "٣", "1_0", "0x1", "1e9", "inf", "nan",
    "9" * 19, "9" * 5000, "-" + "9" * 5000, "x" * 40000, "\udcff", "\ud800", "é", "\u2028", "\x85", "\xad", "\x7f",
    "a" * 64 + ".b", "xn--", "xn--a", "a..b", ".", "=", ";", ",", '"', '"' * 3, "<", "&#9999999999;", "&#xd800;",
)  # fmt: skip
FORMS = (
    "{}", "http://{}", "http://{}/", "http://h:{}/", "http://{}@h/", "http://u:{}@h/", "http://h/{}", "http://h/?{}",
    "http://h/#{}", "https://{}.s3.{}.amazonaws.com/k", "s3://{}", "s3://{}/k", "s3://b/{}", "s3://b/k?versionId={}",
    "s3://b/k?{}", "file:{}", "file://{}/x", "file:///{}", "{}://h/x", "bytes {}-1/2", "bytes 0-{}/2", "bytes 0-1/{}",
    "bytes */{}", "Sat, {} Jan 2020 00:00:00 GMT", "Sat, 01 Jan {} 00:00:00 GMT", "Sat, 01 Jan 2020 00:{}:00 GMT",
    "Sat, 01 Jan 2020 00:00:00 {}", "Basic realm={}", "{}: x", "x: {}", "h:{}", "{}:80", "{}/8", "10.0.0.0/{}",
    "<Code>{}</Code>", "<Region>{}</Region>", "expecting '{}'",
)  # fmt: skip


def _proxy(text: str) -> None:
    choose_proxy(BASE, {"https_proxy": text, "no_proxy": "x"})


def _bypass(text: str) -> None:
    choose_proxy(BASE, {"https_proxy": "http://p", "no_proxy": text})


def _endpoint(text: str) -> None:
    parse_s3_url("s3://b/k", "", {"AWS_ENDPOINT_URL": text}).url()


def _header(text: str) -> None:
    found = credentials_of(SourceSpec("http://h/", headers=(text,), secret_headers=(text,), user=text), Userinfo())
    _lines(Route("http", "h", 80, None), Request(BASE, found.headers))


def _answer(text: str) -> None:
    read_error(400, Headers([("Retry-After", text)]), text.encode(errors="replace"))


READERS: tuple[Callable[[str], object], ...] = (
    lambda text: str(parse_http_url(text)),
    lambda text: parse_s3_url(text, "", {}).url(),
    lambda text: parse_s3_url(text, "", {}, "virtual").url(),
    lambda text: open_source(SourceSpec(text)).close(),
    lambda text: next_hop(BASE, text, "it"),
    lambda text: retry_after_seconds(text, 0.0),
    lambda text: choose_access(SourceSpec("s3://b/k", user=text, password=text)),
    path_of, display_name, resource_of, parse_content_range, strong_etag, known_date, content_coding, unspoken_schemes,
    printable, as_region, region_of_host, _proxy, _bypass, _endpoint, _header, _answer,
)  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_every_reader_of_a_text_answers(form: str) -> None:
    for odd in ODD:
        for read in READERS:
            try:
                read(form.replace("{}", odd))
            except Fault as fault:
                assert fault.message.isprintable(), odd  # noqa: PT017  a fault is an answer, if people can read it


@contextmanager
def incoming(data: bytes) -> Iterator[Incoming]:
    ours, theirs = socket.socketpair()
    with ours, theirs:
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        ours.settimeout(5)
        yield Incoming(ours)


@pytest.mark.parametrize(
    "form",
    [
        "{}\r\n\r\n", "HTTP/{} 200 OK\r\n\r\n", "HTTP/1.1 {} OK\r\n\r\n", "HTTP/1.1 200 {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\n{}\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1, {}\r\n\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: {}\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConnection: {}\r\n {}\r\n\r\n", "HTTP/1.1 200 OK\r\n{}: x\r\n\r\n",
    ],
)  # fmt: skip
def test_every_head_is_an_answer_or_a_bad_one(form: str) -> None:
    for odd in ODD:
        read_one_head(form.replace("{}", odd).encode(errors="surrogatepass"))


def read_one_head(data: bytes) -> None:
    with incoming(data) as there:
        try:
            head = read_head(there, 5)
        except (BadAnswer, Ended) as error:
            assert str(error).isprintable()  # noqa: PT017  both say what came
            return
    assert head.status >= 200
    assert head.length is None or head.length >= 0


@pytest.mark.parametrize("size", ["", "-1", "g", "0x1", "1_0", "f" * 16, "f" * 17, "1;x=y", "1 ;", "²", " 1", "1,1"])
def test_every_size_of_a_chunk_is_read_or_a_bad_one(size: str) -> None:
    buffer, got = memoryview(bytearray(8)), b""
    with incoming(size.encode() + b"\r\nx\r\n0\r\n\r\n") as there:
        chunks = Chunks(there, 5)
        try:
            while count := chunks.readinto(buffer):
                got += buffer[:count]
        except (BadAnswer, Ended):
            got += b"?"
    assert got == (b"x" if size in ("1;x=y", "1 ;") else got.rstrip(b"?") + b"?")


@pytest.mark.parametrize("address", ["0.0.0.0", "255.255.255.255", "::", "ff" * 1 + "ff:" * 7 + "ffff", "fe80::1%eth0"])
def test_the_first_and_the_last_address_are_judged(address: str) -> None:
    assert is_forbidden(address) is (address == "fe80::1%eth0")


def test_bytes_that_are_no_utf_8_are_sent_as_they_are() -> None:
    assert parse_http_url("http://h/\udcff?\udcfe")[0].target == "/%FF?%FE"
    assert basic_authorization("\udcff", "") == "Basic /zo="
    found = credentials_of(SourceSpec("http://h/", secret_headers=("a: \udcff",)), Userinfo())
    assert b"\r\na: \xff\r\n" in _lines(Route("http", "h", 80, None), Request(BASE, found.headers))


def test_waiting_has_an_end_after_any_number_of_failures() -> None:
    waited: list[float] = []
    patience = Patience(RetryPolicy(attempts=5000), waited.append, lambda: 1.0)
    for _ in range(4999):
        patience.wait_or_raise(Fault("ConnectionLost", source="it", got=0, cause="x"))
    assert max(waited) == waited[-1] == RetryPolicy().longest_s
