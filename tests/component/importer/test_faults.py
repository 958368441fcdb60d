"""Every fault that an HTTP server can make ends in its own code with a remedy, or in the right disk."""

from __future__ import annotations

import bz2
import hashlib
import random
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.certificates import Authority
from support.faultserver import FaultServer, Route
from support.hostile import qcow2
from support.importing import Outcome, cdi
from support.packed import some_plain, tool

KiB = 1024
MiB = 1024 * KiB
RAW = random.Random(3).randbytes(20 * MiB)  # three requests of 8 MiB
OTHER = random.Random(4).randbytes(20 * MiB)
THIRD = random.Random(5).randbytes(20 * MiB)
PLAIN = some_plain(3 * MiB)
QCOW2 = bytes(qcow2())
PAGE = b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n"
OVA = b"vm.ovf".ljust(257, b"\0") + b"ustar\x0000" + bytes(4 * MiB)
HEAD = 192 * KiB  # what a probe reads
IMPATIENT = ("--retries", "2", "--stall-timeout", "0.5")


@dataclass(frozen=True)
class Scripted(Route):
    """A route that differs for some requests: number -> fields."""

    at: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def version(self, number: int) -> Route:
        return replace(self, **self.at.get(number, {}))


def changing(*bodies: bytes, every: int) -> Scripted:
    """Another file after every ``every`` requests, the last one for ever."""
    last = len(bodies) - 1
    return Scripted(at={n: {"body": bodies[min((n - 1) // every, last)]} for n in range(1, 200)})


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def refused(outcome: Outcome, status: int, code: str) -> None:
    assert (outcome.status, f"[{code}]" in outcome.stderr) == (status, True), outcome
    assert " Try: " in outcome.stderr
    assert "Traceback" not in outcome.stderr


@dataclass(frozen=True)
class Refusal:
    """``requests``: as many at most; ``payload``: body bytes sent at most."""

    route: Route
    status: int
    code: str
    requests: int = 2
    payload: int = 2 * HEAD
    arguments: tuple[str, ...] = ()
    keeps: bool = False  # what was written stays for the next run


def packed(command: str, cut: int = 0, **fields: Any) -> Route:
    whole = tool(command, PLAIN)
    return Route(body=whole[: len(whole) - cut], **fields)


REFUSALS = {
    # statuses
    "404": Refusal(Route(status=404), 3, "SourceNotFound", 1, 16),
    "410": Refusal(Route(status=410), 3, "SourceNotFound", 1, 16),
    "401": Refusal(Route(status=401), 3, "SourceUnauthorized", 1, 16),
    "403": Refusal(Route(status=403), 3, "SourceUnauthorized", 1, 16),
    "400": Refusal(Route(status=400), 3, "SourceRefused", 1, 16),
    "416 for everything": Refusal(Route(status=416), 3, "SourceRefused", 2, 16),
    "429 at first": Refusal(Route(status=429, headers={"Retry-After": "3600"}), 4, "SourceUnavailable", 1, 16),
    "500 at first": Refusal(Route(status=500), 4, "SourceUnavailable", 1, 16),
    "503 at first": Refusal(Route(status=503), 4, "SourceUnavailable", 1, 16),
    # what is no image
    "HTML with 200": Refusal(Route(body=PAGE, content_type="text/html"), 3, "NotADiskImage"),
    "HTML as octets without ranges": Refusal(Route(body=PAGE, ranges=False), 3, "NotADiskImage"),
    "JSON with 200": Refusal(Route(body=b'{"error": "no such image"}\n'), 3, "NotADiskImage"),
    "XML with 200": Refusal(Route(body=b"<?xml version='1.0'?><Error/>\n"), 3, "NotADiskImage"),
    "a text with 200": Refusal(Route(body=b"not found, sorry\n"), 3, "NotADiskImage"),
    "a text without ranges or length": Refusal(
        Route(body=b"not found, sorry\n", ranges=False, chunked=True), 3, "NotADiskImage"
    ),
    "a packed text": Refusal(Route(body=tool("gzip -c", b"not found, sorry\n")), 3, "NotADiskImage"),
    "a PDF": Refusal(Route(body=b"%PDF-1.7\n" + RAW), 3, "NotADiskImage"),
    "bzip2": Refusal(Route(body=bz2.compress(PLAIN)), 3, "PackingUnsupported"),
    "bzip2 without ranges": Refusal(
        Route(body=bz2.compress(PLAIN), ranges=False), 3, "PackingUnsupported", payload=8 * MiB
    ),
    "zip in gzip": Refusal(Route(body=tool("gzip -c", b"PK\x03\x04\x14\0" + RAW)), 3, "PackingUnsupported"),
    "an OVA": Refusal(Route(body=OVA), 3, "PackingUnsupported"),
    "an empty file": Refusal(Route(body=b""), 3, "SourceEmpty"),
    "an empty file without ranges": Refusal(Route(body=b"", ranges=False), 3, "SourceEmpty"),
    "an empty chunked file": Refusal(Route(body=b"", chunked=True, ranges=False), 3, "SourceEmpty"),
    "an unknown encoding": Refusal(Route(body=PAGE, content_encoding="br"), 3, "ContentEncodingUnknown"),
    # redirects: every hop is a request
    "a redirect loop": Refusal(Route(redirect="/image"), 3, "RedirectLoop", 12, 200),
    "a redirect to a file": Refusal(Route(redirect="file:///etc/passwd"), 3, "RedirectRefused", 1, 16),
    # lengths that lie, transfers that break off
    "longer than announced": Refusal(
        Route(body=PLAIN, ranges=False, declared_length=2 * MiB, trailing=b"x"), 3, "SourceTooLong", 1, 4 * MiB
    ),
    "shorter than announced": Refusal(
        Route(body=PLAIN, ranges=False, declared_length=4 * MiB),
        4, "SourceTruncated", 3, 10 * MiB, IMPATIENT,
    ),
    "a chunked answer cut short": Refusal(
        Route(body=PLAIN, ranges=False, chunked=True, cut_at=dict.fromkeys(range(9), MiB)),
        4, "ConnectionLost", 3, 4 * MiB, IMPATIENT,
    ),
    "a total that lies": Refusal(
        Route(body=RAW, content_range_total=30 * MiB), 4, "RangesWithdrawn", 20, 30 * MiB, IMPATIENT, keeps=True
    ),
    # A connection that gives a byte now and then is patience's friend: only failures without one count.
    "a stall for ever": Refusal(
        Route(body=RAW, stall_at=dict.fromkeys(range(3, 30), 0)),
        4, "SourceStalled", 20, 30 * MiB, IMPATIENT, keeps=True,
    ),
    "404 in the middle": Refusal(Route(body=RAW, after=(3, 404)), 3, "SourceNotFound", 20, 30 * MiB, keeps=True),
    # damaged files
    "gzip cut": Refusal(packed("gzip -c", 1000), 6, "CompressedTruncated", 9, 8 * MiB),
    "gzip cut without ranges": Refusal(packed("gzip -c", 1000, ranges=False), 6, "CompressedTruncated", 1, 8 * MiB),
    "zstd cut": Refusal(packed("zstd -c", 1000), 6, "CompressedTruncated", 9, 8 * MiB),
    "zstd cut between blocks": Refusal(packed("zstd -c", 3), 6, "CompressedTruncated", 9, 8 * MiB),
    "xz cut": Refusal(packed("xz -0c", 1000), 6, "CompressedDamaged", 2),
    "xz cut without ranges": Refusal(packed("xz -0c", 1000, ranges=False), 6, "CompressedTruncated", 1, 8 * MiB),
    "qcow2 cut": Refusal(Route(body=QCOW2[:-65536]), 6, "ImageTruncated", 3),
    "qcow2 cut without ranges": Refusal(Route(body=QCOW2[:-65536], ranges=False), 6, "ImageTruncated", 1, MiB),
    "gzip with a flipped bit": Refusal(
        Route(body=tool("gzip -c", PLAIN)[:MiB] + b"\0\xff" * 99 + tool("gzip -c", PLAIN)[MiB + 198 :]),
        6, "CompressedDamaged", 9, 8 * MiB,
    ),
    "zstd with bytes behind it": Refusal(
        Route(body=tool("zstd -c", PLAIN) + b"garbage!"), 6, "CompressedTrailing", 9, 8 * MiB
    ),
    "another checksum": Refusal(
        Route(body=PLAIN), 6, "ChecksumMismatch", 9, 8 * MiB, ("--checksum", f"sha256:{'0' * 64}")
    ),
    "more than the disk asked for": Refusal(
        packed("gzip -c"), 5, "TargetOutgrown", 9, 8 * MiB, ("--size", "1Mi")
    ),
    "a disk that does not fit": Refusal(Route(body=RAW), 5, "TargetTooSmall", 2, 2 * HEAD, ("--size", "1Mi")),
    # the source changes again and again
    "a file that never rests": Refusal(
        changing(RAW, OTHER, THIRD, every=3), 3, "SourceChanged", 30, 80 * MiB
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSALS)
def test_a_fault_of_the_server_ends_in_its_own_code(name: str, server: FaultServer, tmp_path: Path) -> None:
    refusal = REFUSALS[name]
    outcome = cdi("import", server.add("/image", refusal.route), tmp_path / "disk.img", *refusal.arguments)
    refused(outcome, refusal.status, refusal.code)
    assert len(server.requests) <= refusal.requests, server.statuses()
    assert server.bytes_sent <= refusal.payload
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= ({"disk.img.part", "disk.img.journal"} if refusal.keeps else set())


def test_the_codes_of_the_table_are_many_and_exit_codes_belong_to_them() -> None:
    codes = {refusal.code: refusal.status for refusal in REFUSALS.values()}
    assert len(REFUSALS) >= 25
    assert len(codes) >= 15
    assert all(refusal.status == codes[refusal.code] for refusal in REFUSALS.values())


@dataclass(frozen=True)
class Survival:
    """``again``: body bytes sent at most beyond the file's size and the probe's."""

    route: Route
    again: int = 4 * MiB
    content: bytes = RAW
    arguments: tuple[str, ...] = ()
    note: str = ""


def _random_breaks(seed: int, count: int) -> dict[int, int]:
    chance = random.Random(seed)
    return {chance.randrange(3, 12): chance.randrange(1, 7 * MiB) for _ in range(count)}


SURVIVALS = {
    "resets at random bytes": Survival(Route(body=RAW, reset_at=_random_breaks(1, 5)), 40 * MiB),
    "cuts at random bytes": Survival(Route(body=RAW, cut_at=_random_breaks(2, 5))),
    "a stall": Survival(
        Route(body=RAW, stall_at={3: 1_000_000, 4: 10}), arguments=("--stall-timeout", "0.5")
    ),
    "a reset of an answer without ranges": Survival(Route(body=RAW, ranges=False, cut_at={1: 15 * MiB}), 16 * MiB),
    "503 in the middle with Retry-After": Survival(
        Scripted(body=RAW, at={n: {"status": 503, "headers": {"Retry-After": "1"}} for n in (3, 4, 6)})
    ),
    "500 now and then": Survival(Scripted(body=RAW, at={n: {"status": 500} for n in (3, 4, 7)})),
    "416 once in the middle": Survival(Scripted(body=RAW, at={4: {"status": 416}})),
    "a trickle": Survival(
        Route(body=PLAIN[:4096], trickle=(256, 0.2)), content=PLAIN[:4096], arguments=("--stall-timeout", "1")
    ),
    "an encoding of a qcow2 on the way": Survival(
        Route(body=QCOW2, gzip_encoding=True), content=QCOW2[-65536:] + bytes(MiB - 65536)
    ),
    "429 in the middle": Survival(Scripted(body=RAW, at={n: {"status": 429} for n in (3, 5)})),
    "a range ignored once": Survival(Scripted(body=RAW, at={4: {"ranges": False}}), 20 * MiB),
    "a wrong Content-Range once": Survival(Scripted(body=RAW, at={3: {"content_range_shift": 512}}), 9 * MiB),
    "a wrong Content-Range for ever": Survival(Route(body=RAW, content_range_shift=512), 8 * MiB),
    "ranges ignored for good": Survival(
        Route(body=RAW, ignore_ranges_after=3), 80 * MiB, note="over one connection"
    ),
    "ranges only from the start": Survival(
        Scripted(body=RAW, at={n: {"ranges": False} for n in range(2, 60)}), 80 * MiB, note="over one connection"
    ),
    "no ranges": Survival(Route(body=RAW, ranges=False)),
    "chunked": Survival(Route(body=RAW, ranges=False, chunked=True)),
    "no length": Survival(Route(body=RAW, ranges=False, no_length=True)),
    "no validators": Survival(Route(body=RAW, etag=None)),
    "a server that closes without a word": Survival(Route(body=RAW, closes_silently=True)),
    "an encoding on the way": Survival(Route(body=PLAIN, gzip_encoding=True), content=PLAIN),
    "a text content type": Survival(
        Route(body=RAW, content_type="text/plain"), note="Unexpected content type 'text/plain'"
    ),
    "a version that changes once": Survival(changing(RAW, OTHER, every=3), 20 * MiB, OTHER, note="SourceChanged"),
    "a stream that changes once": Survival(
        Scripted(body=OTHER, ranges=False, at={1: {"body": RAW, "cut_at": {1: 12 * MiB}}}),
        32 * MiB, OTHER, note="SourceChanged",
    ),
    "gzip with resets": Survival(
        Route(body=tool("gzip -c", PLAIN), cut_at={2: 500_000, 3: 100, 4: 400_000}), content=PLAIN
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", SURVIVALS)
def test_a_fault_that_passes_is_survived_with_the_right_disk(name: str, server: FaultServer, tmp_path: Path) -> None:
    survival = SURVIVALS[name]
    outcome = cdi("import", server.add("/image", survival.route), tmp_path / "disk.img", *survival.arguments)
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == survival.content
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]
    assert server.bytes_sent <= len(survival.content) + survival.again + 2 * HEAD
    assert survival.note in outcome.stdout + outcome.stderr  # a warning comes before the transfer


def test_what_packs_like_no_disk_is_stopped_long_before_it_fills_the_target(
    server: FaultServer, tmp_path: Path
) -> None:
    zeros = "head -c 3G /dev/zero | zstd -q -1 -c"
    bomb = subprocess.run(zeros, shell=True, check=True, capture_output=True).stdout
    outcome = cdi("import", server.add("/disk", Route(body=bomb)), tmp_path / "disk.img", "--size", "100Gi")
    assert (outcome.status, "[DecompressionBomb]" in outcome.stderr) == (6, True), outcome
    assert list(tmp_path.iterdir()) == []


def test_retry_after_is_respected(server: FaultServer, tmp_path: Path) -> None:
    flap = {"status": 503, "headers": {"Retry-After": "2"}}
    url = server.add("/image", Scripted(body=RAW, at=dict.fromkeys((3, 4), flap)))
    outcome = cdi("import", url, tmp_path / "disk.img", "--json")
    assert outcome.status == 0
    assert outcome.result["seconds"] >= 2


def test_a_presigned_url_that_expires_is_asked_for_again(server: FaultServer, tmp_path: Path) -> None:
    for number in range(1, 9):
        server.add(f"/signed/{number}", Route(body=RAW, after=(2, 403)))
    url = server.add("/image", Route(redirect=lambda number: f"/signed/{number}"))
    outcome = cdi("import", url, tmp_path / "disk.img")
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == RAW
    assert 403 in server.statuses()


def test_a_mirror_per_request_gives_one_disk(server: FaultServer, tmp_path: Path) -> None:
    with FaultServer("127.0.0.2") as mirror:
        places = [server.add("/a", Route(body=RAW, after=(2, 404))), mirror.add("/b", Route(body=RAW))]
        url = server.add("/image", Route(redirect=lambda number: places[min(number - 1, 1)]))
        outcome = cdi("import", url, tmp_path / "disk.img")
        assert outcome.status == 0, outcome
        assert (tmp_path / "disk.img").read_bytes() == RAW
        assert mirror.requests


def test_https_never_continues_as_http(server: FaultServer, tmp_path: Path) -> None:
    plain = server.add("/image", Route(body=RAW))
    authority = Authority(tmp_path / "ca")
    with FaultServer(tls=authority.issue("127.0.0.1").server_context()) as secure:
        url = secure.add("/image", Route(redirect=plain))
        refused(cdi("import", url, tmp_path / "disk.img", "--ca", authority.cert), 3, "RedirectRefused")
        refused(cdi("import", url, tmp_path / "disk.img"), 3, "TlsUntrusted")
    assert server.requests == []
    assert not (tmp_path / "disk.img").exists()


def test_credentials_stay_with_the_host_they_were_given_for(server: FaultServer, tmp_path: Path) -> None:
    with FaultServer("127.0.0.2") as mirror:
        place = mirror.add("/b", Route(body=RAW))
        url = server.add("/image", Route(redirect=place))
        header = ("--header", "X-Token: of-the-first-host")
        outcome = cdi("import", url, tmp_path / "disk.img", "--user", "me", *header, env={"CDI_PASSWORD": "hush"})
        assert outcome.status == 0, outcome
        assert (tmp_path / "disk.img").read_bytes() == RAW
        assert "authorization" in server.requests[0].headers
        assert not [r for r in mirror.requests if {"authorization", "x-token"} & r.headers.keys()]
        assert "hush" not in outcome.stdout + outcome.stderr


def test_nobody_listens(tmp_path: Path) -> None:
    with FaultServer() as server:
        url = server.url("/image")
    refused(cdi("import", url, tmp_path / "disk.img"), 4, "ConnectionRefused")
    assert list(tmp_path.iterdir()) == []


def test_an_address_that_is_none(tmp_path: Path) -> None:
    refused(cdi("import", "http://a..b/image", tmp_path / "disk.img"), 2, "SourceUrlInvalid")


def test_a_proxy_that_wants_credentials(server: FaultServer, tmp_path: Path) -> None:
    server.add("/image", Route(status=407))
    proxy = {"http_proxy": server.url("")}
    refused(cdi("import", "http://images.test/image", tmp_path / "disk.img", env=proxy), 3, "ProxyRefused")
    assert len(server.requests) == 1


@pytest.mark.parametrize("arguments", [(), ("--checksum", f"sha256:{hashlib.sha256(RAW).hexdigest()}")])
def test_what_a_transient_fault_left_is_continued(
    arguments: tuple[str, ...], server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/image", Route(body=RAW, stall_at=dict.fromkeys(range(3, 30), 3 * MiB)))
    refused(cdi("import", url, tmp_path / "disk.img", *IMPATIENT, *arguments), 4, "SourceStalled")
    assert not (tmp_path / "disk.img").exists()
    server.add("/image", Route(body=RAW))
    assert cdi("import", url, tmp_path / "disk.img", *arguments).status == 0
    assert (tmp_path / "disk.img").read_bytes() == RAW


@pytest.mark.parametrize("other", ["/other", "/image?name=other"])
@pytest.mark.parametrize("arguments", [(), ("--checksum", f"sha256:{hashlib.sha256(OTHER).hexdigest()}")])
def test_another_file_with_an_equal_etag_is_not_continued(
    other: str, arguments: tuple[str, ...], server: FaultServer, tmp_path: Path
) -> None:
    """nginx makes ETags of time and size, and two files of one release may have both."""
    stalls = dict.fromkeys(range(3, 30), 3 * MiB)
    url = server.add("/image", Route(body=RAW, etag='"same"', stall_at=stalls))
    refused(cdi("import", url, tmp_path / "disk.img", *IMPATIENT), 4, "SourceStalled")
    server.add(other.partition("?")[0], Route(body=OTHER, etag='"same"'))
    outcome = cdi("import", server.url(other), tmp_path / "disk.img", *arguments)
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == OTHER


def test_a_mirror_and_a_new_signature_are_the_same_file(server: FaultServer, tmp_path: Path) -> None:
    stalls = dict.fromkeys(range(3, 30), 3 * MiB)
    signed = f"{server.add('/image', Route(body=RAW, stall_at=stalls))}?X-Amz-Signature=1"
    refused(cdi("import", signed, tmp_path / "disk.img", *IMPATIENT), 4, "SourceStalled")
    with FaultServer("127.0.0.2") as mirror:
        signed = f"{mirror.add('/image', Route(body=RAW))}?X-Amz-Signature=2"
        outcome = cdi("import", signed, tmp_path / "disk.img", "--json")
    assert outcome.status == 0, outcome
    assert outcome.result["bytesKept"] > 0
    assert (tmp_path / "disk.img").read_bytes() == RAW


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("SOURCE", "TARGET", "--checksum", "sha256:abc"), 2, "ChecksumInvalid"),
        (("SOURCE", "somewhere"), 2, "TargetUnclear"),
        (("ftp://127.0.0.1/disk.img", "TARGET"), 2, "SourceUrlInvalid"),
        (("/nowhere/disk.img", "TARGET"), 3, "FileUnreadable"),
    ],
    ids=["checksum", "target", "scheme", "file"],
)
def test_a_mistake_in_the_command_costs_no_request(
    arguments: tuple[str, ...], status: int, code: str, server: FaultServer, tmp_path: Path
) -> None:
    names = {"SOURCE": server.add("/image", Route(body=RAW)), "TARGET": str(tmp_path / "disk.img")}
    refused(cdi("import", *(names.get(word, word) for word in arguments)), status, code)
    assert server.requests == []
    assert list(tmp_path.iterdir()) == []
