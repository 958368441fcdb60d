"""What real servers answer, RFC 9110 allows and curl reads: whole imports, byte for byte."""

from __future__ import annotations

import gzip
import hashlib
import random
from collections.abc import Callable
from pathlib import Path

import pytest
from support.wordserver import Asked, File, WordServer, said

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer.cancel import Cancel
from importer.checksum import Checksum
from importer.fetch.governor import Limits
from importer.fetch.retry import RetryPolicy
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, Result, run

chance = random.Random(11)
DISK = b"".join(chance.randbytes(4096) + bytes(28 * 1024) for _ in range(192))  # 6 MiB
FILE = File(DISK)
QUICK = RetryPolicy(attempts=4, first_s=0.01, longest_s=0.05)
SHA256 = Checksum("sha256", hashlib.sha256(DISK).hexdigest())


def importing(
    server: WordServer,
    directory: Path,
    checksum: Checksum | None = None,
    limits: Limits = Limits(),  # noqa: B008  frozen
    **fields: object,
) -> Result:
    source = SourceSpec(server.url("/disk"), **fields)  # type: ignore[arg-type]
    target = Target.at_path(directory / "disk.img")
    return run(Request(source, target, checksum, retry=QUICK, connections=limits), Progress(), Cancel())


def disk(directory: Path) -> bytes:
    return (directory / "disk.img").read_bytes()


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def hints(asked: Asked) -> bytes:
    return b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + FILE.answer(asked)


def in_one_chunk(asked: Asked) -> bytes:
    head, _, body = FILE.answer(asked).partition(b"\r\n\r\n")
    lines = [line for line in head.split(b"\r\n") if not line.startswith(b"Content-Length")]
    head = b"\r\n".join([*lines, b"Transfer-Encoding: chunked"])
    return head + b"\r\n\r\n%x;sum=1\r\n%s\r\n0\r\nDigest: x\r\n\r\n" % (len(body), body)


def if_range_never_matches(asked: Asked) -> bytes:
    if "if-range" in asked.headers:
        return said("200 OK", DISK, 'ETag: "v1"')
    return FILE.answer(asked)


def only_from_the_start(asked: Asked) -> bytes:
    span = asked.span(len(DISK))
    return FILE.answer(asked) if span and span[0] == 0 else said("200 OK", DISK, 'ETag: "v1"')


def refusing_ranges(status: str) -> Callable[[Asked], bytes]:
    return lambda asked: said(status) if "range" in asked.headers else said("200 OK", DISK)


def of_backend(number: int) -> File:
    return File(DISK, etag=f'"{number}-7f"')


ANSWERS: dict[str, Callable[[Asked], bytes]] = {
    "early hints": hints,
    "many fields": File(DISK, fields=tuple(f"X-Edge-{n}: {n}" for n in range(900))).answer,
    "a long field": File(DISK, fields=(f"X-Trace: {'x' * 90_000}",)).answer,
    "folded and odd lines": File(DISK, fields=("X-A: 1\r\n  2", "no colon", "X-B : 3")).answer,
    "chunks with extensions and trailer": in_one_chunk,
    "ranges cut at 1 MB": File(DISK, most=1_000_000).answer,
    "ranges cut at 10,000 bytes": File(DISK[:MiB], most=10_000).answer,
    "ranges cut at 100 bytes": File(DISK[:MiB], most=100).answer,
    "If-Range never matches": if_range_never_matches,
    "ranges only from the start": only_from_the_start,
    "an ETag for each backend": lambda asked: of_backend(asked.connection % 2).answer(asked),
    "an ETag for each answer": lambda asked: of_backend(asked.number).answer(asked),
    "a date for each backend": lambda asked: File(
        DISK, etag="", fields=(f"Last-Modified: Tue, 01 Sep 2026 10:00:0{asked.connection % 3} GMT",)
    ).answer(asked),
    "a weak ETag for each answer": lambda asked: File(DISK, etag=f'W/"{asked.number}"').answer(asked),
    "412 to ranges": refusing_ranges("412 Precondition Failed"),
    "416 to ranges": refusing_ranges("416 Range Not Satisfiable"),
    "501 to ranges": refusing_ranges("501 Not Implemented"),
    "the unit in capitals": lambda asked: FILE.answer(asked).replace(b"bytes 0-", b"BYTES  0-"),
}


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("checked", [False, True], ids=["plain", "checksum"])
def test_the_disk_is_the_file_whatever_the_manner(name: str, checked: bool, tmp_path: Path) -> None:
    with WordServer(ANSWERS[name]) as server:
        content = DISK[:MiB] if "bytes" in name else DISK
        checksum = Checksum("sha256", hashlib.sha256(content).hexdigest()) if checked else None
        importing(server, tmp_path, checksum)
    assert disk(tmp_path) == content


@pytest.mark.parametrize("name", ["an ETag for each backend", "a date for each backend", "an ETag for each answer"])
def test_a_checksum_takes_every_backend_at_once(name: str, tmp_path: Path) -> None:
    with WordServer(ANSWERS[name]) as server:
        result = importing(server, tmp_path, SHA256)
        assert result.notes == ()
        assert sum(asked.span(len(DISK)) is None for asked in server.asked) == 0
    assert result.bytes_fetched <= len(DISK) + 4096


def test_backends_without_a_checksum_are_read_over_one_connection_and_it_is_said(tmp_path: Path) -> None:
    with WordServer(ANSWERS["an ETag for each backend"]) as server:
        notes = importing(server, tmp_path).notes
    assert "over one connection" in notes[-1]
    assert '"0-7f"' in notes[-1]


def test_a_mixture_that_is_wrong_is_a_change_and_no_verdict_on_the_file(tmp_path: Path) -> None:
    """Two backends with two files of one size: with a checksum both may answer, and one of them is right."""
    other = File(bytes(len(DISK)), etag='"other"')

    def answer(asked: Asked) -> bytes:
        return (FILE if asked.connection % 2 == 0 else other).answer(asked)

    with WordServer(answer) as server:
        fault = fault_of(lambda: importing(server, tmp_path, Checksum("md5", "0" * 32)))
    assert fault.code in ("SourceChanged", "ChecksumMismatch")
    assert not (tmp_path / "disk.img").exists()


def test_another_size_is_another_file_whatever_will_be_verified(tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        return File(DISK + bytes(512 * asked.number), etag=f'"{asked.number}"').answer(asked)

    with WordServer(answer) as server:
        assert fault_of(lambda: importing(server, tmp_path, SHA256)).code == "SourceChanged"


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "GZIP"])
def test_a_digest_is_of_the_transferred_bytes(coding: str, tmp_path: Path) -> None:
    packed = gzip.compress(DISK, 1)
    checksum = Checksum("sha256", hashlib.sha256(packed).hexdigest())
    with WordServer(File(packed, fields=(f"Content-Encoding: {coding}",)).answer) as server:
        importing(server, tmp_path, checksum)
    assert disk(tmp_path) == DISK


def test_a_coding_over_bytes_that_are_none_is_a_wrong_header_of_a_sound_file(tmp_path: Path) -> None:
    with WordServer(File(DISK, fields=("Content-Encoding: gzip",)).answer) as server:
        warnings = importing(server, tmp_path, SHA256).plan.warnings
    assert disk(tmp_path) == DISK
    assert any("Content-Encoding gzip" in warning for warning in warnings)


def test_what_is_packed_on_the_way_and_cut_is_the_servers_doing(tmp_path: Path) -> None:
    cut = gzip.compress(DISK, 1)[:-2000]
    with WordServer(File(cut, fields=("Content-Encoding: gzip",)).answer) as server:
        fault = fault_of(lambda: importing(server, tmp_path))
    assert (fault.code, fault.permanent) == ("SourceTruncated", False)


@pytest.mark.parametrize("status", ["429 Too Many Requests", "503 Service Unavailable", "408 Request Timeout"])
def test_a_first_answer_that_names_a_wait_is_waited_for(status: str, tmp_path: Path) -> None:
    def answer(asked: Asked) -> bytes:
        return said(status, b"", "Retry-After: 1") if asked.number < 1 else FILE.answer(asked)

    with WordServer(answer) as server:
        importing(server, tmp_path)
    assert disk(tmp_path) == DISK


@pytest.mark.parametrize("wait", ["61", "86400", "9" * 5000, "soon", "Fri, 31 Dec 9999 23:59:59 GMT", "0", "\xb2"])
def test_a_first_answer_with_a_long_wait_or_none_is_told_at_once(wait: str, tmp_path: Path) -> None:
    with WordServer(lambda _: said("503 Busy", b"", f"Retry-After: {wait}")) as server:
        assert fault_of(lambda: importing(server, tmp_path)).code == "SourceUnavailable"
        assert len(server.asked) == 1


DIGITS = "9" * 5000
HOSTILE = {
    "Content-Range": lambda asked: said("206 OK", DISK[:100], f"Content-Range: bytes 0-99/{DIGITS}"),
    "Content-Length": lambda asked: f"HTTP/1.1 200 OK\r\nContent-Length: {DIGITS}\r\n\r\n".encode(),
    "Last-Modified": lambda asked: said("200 OK", DISK, f"Last-Modified: {DIGITS}"),
    "ETag": lambda asked: said("200 OK", DISK, f'ETag: "{DIGITS}"'),
    "date": lambda asked: said("503 No", b"", f"Retry-After: Mon, 01 Jan {DIGITS} 00:00:00 GMT"),
    "date that overflows": lambda asked: said("503 No", b"", "Retry-After: Mon, 01 Jan 0000 00:00:00 -9999"),
    "Location": lambda asked: said("302 Found", b"", f"Location: http://h:{DIGITS}/"),
    "Location [": lambda asked: said("302 Found", b"", "Location: http://[evil"),
    "Location ]": lambda asked: said("302 Found", b"", "Location: //]:80/x"),
    "Location v6": lambda asked: said("302 Found", b"", "Location: http://[::1%25\x1b[31m]/"),
    "Location idna": lambda asked: said("302 Found", b"", f"Location: http://{'a' * 400}.\xe4/"),
    "Location control": lambda asked: said("302 Found", b"", "Location: gopher://h/\x1b[31m\x9b\x7f"),
    "long Location": lambda asked: said("302 Found", b"", f"Location: http://127.0.0.1:1/{'x' * 90_000}"),
    "reason": lambda asked: said("404 No\x1b]0;title\x07\x9b31m" + "x" * 9000),
    "coding": lambda asked: said("200 OK", DISK, "Content-Encoding: \x1b[31m" + "x" * 9000),
    "type": lambda asked: said("200 OK", DISK, "Content-Type: text/\x1b[31m" + "x" * 9000),
    "status line": lambda asked: b"\x1b[31m" * 30_000,
    "chunk": lambda asked: f"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{DIGITS}\r\n".encode(),
    "transfer coding": lambda asked: b"HTTP/1.1 200 OK\r\nTransfer-Encoding: \x1b[31m, chunked\r\n\r\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_words_of_a_server_crash_or_reach_a_terminal(name: str, tmp_path: Path) -> None:
    with WordServer(HOSTILE[name]) as server:
        try:
            result = importing(server, tmp_path)
        except Fault as fault:
            texts: tuple[str, ...] = (fault.message,)
        else:
            texts = (*result.notes, *result.plan.warnings, str(result.plan.facts.etag), result.plan.facts.content_type)
    for text in texts:
        assert text.isprintable()
        assert len(text) < 1500


def test_a_long_wait_in_the_middle_is_cut_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    def answer(asked: Asked) -> bytes:
        return said("503 Busy", b"", "Retry-After: 86400") if asked.number == 2 else FILE.answer(asked)

    with WordServer(answer) as server:
        importing(server, tmp_path, limits=Limits(1, 1))
    assert disk(tmp_path) == DISK
    assert any("asks to wait 86400 s: it is asked again after" in record.getMessage() for record in caplog.records)


def test_credentials_in_a_location_go_to_its_host_and_nowhere_else(tmp_path: Path) -> None:
    with WordServer(FILE.answer) as other:
        place = other.url("/b").replace("//", "//who:what@")

        def answer(asked: Asked) -> bytes:
            return said("302 Found", b"", f"Location: {place}")

        with WordServer(answer) as server:
            importing(server, tmp_path, user="u", password="p", headers=("X-Key: 1", "User-Agent: me"))
        seen = {asked.headers.get("authorization") for asked in other.asked}
        assert seen == {"Basic d2hvOndoYXQ="}
        assert {asked.headers.get("user-agent") for asked in other.asked} == {"me"}
        assert not any("x-key" in asked.headers for asked in other.asked)
    assert disk(tmp_path) == DISK


def test_what_was_withheld_and_from_where_is_said(tmp_path: Path) -> None:
    def elsewhere(asked: Asked) -> bytes:
        return said("302 Found", b"", f"Location: {other.url('/b')}?sig=hunter2")

    with WordServer(lambda _: said("401 Unauthorized")) as other, WordServer(elsewhere) as server:
        spec = {"user": "u", "password": "hunter2", "secret_headers": ("X-Key: hunter2",)}
        fault = fault_of(lambda: importing(server, tmp_path, **spec))  # type: ignore[arg-type]
        assert fault.code == "SourceUnauthorized"
        assert f"(redirected to {other.url('/b')})" in fault.what
        assert f"(X-Key, Authorization went to http://127.0.0.1:{server.port} only)" in fault.what
    assert "hunter2" not in fault.message


def test_a_refusal_names_a_way_to_authenticate_that_is_not_spoken_here(tmp_path: Path) -> None:
    with WordServer(lambda _: said("401 No", b"", "WWW-Authenticate: Digest realm=r, nonce=n")) as server:
        fault = fault_of(lambda: importing(server, tmp_path, user="u", password="p"))
    assert "(it asks for Digest)" in fault.what


@pytest.mark.parametrize(
    ("line", "sent"), [("Accept:", None), ("X-Empty;", ""), ("X-Also:", ""), ("User-Agent: me", "me"), ("Host: h", "h")]
)
def test_header_lines_mean_what_they_mean_to_curl(line: str, sent: str | None, tmp_path: Path) -> None:
    with WordServer(FILE.answer) as server:
        importing(server, tmp_path, headers=(line,))
        name = line.rstrip(";").partition(":")[0].lower()
        assert {asked.headers.get(name) for asked in server.asked} == {sent}
