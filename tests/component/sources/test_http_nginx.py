"""Against a real nginx: what a well-behaved server does."""

from __future__ import annotations

import gzip
import os
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.nginx import PASSWORD, USER, Nginx

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE
from importer.sources.http import HttpSource

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(9).randbytes(8 * 1024 * 1024)


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    root = tmp_path_factory.mktemp("www")
    (root / "disk image.raw").write_bytes(DATA)
    (root / "disk.gz").write_bytes(gzip.compress(DATA, 1))
    (root / "empty").touch()
    for name in ("counted", "counted tls"):
        (root / name).write_bytes(DATA)
    with Nginx(root) as nginx:
        yield nginx


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_eight_threads_read_ranges(nginx: Nginx, a_source: Make, read: Read, tls: bool) -> None:
    source = a_source(nginx.url("disk image.raw", tls=tls), ca_files=(nginx.ca_file,))
    facts = source.probe()
    assert (facts.size, facts.ranges, facts.head) == (len(DATA), True, DATA[:HEAD_SIZE])
    assert facts.etag is not None and facts.last_modified is not None
    offsets = range(0, len(DATA), 1 << 20)
    with ThreadPoolExecutor(8) as threads:
        pieces = threads.map(lambda offset: read(source.open(offset, 1 << 20), piece=1 << 18), offsets)
        assert b"".join(pieces) == DATA


def test_nginx_sees_one_get_per_range_from_the_contracts_user_agent(nginx: Nginx, a_source: Make, read: Read) -> None:
    source = a_source(nginx.url("counted"))
    source.probe()
    read(source.open(1000, 5000))
    seen = nginx.wait_for_accesses(2, "/plain/counted")
    assert [(a.method, a.status, a.bytes_sent, a.range, a.user_agent) for a in seen] == [
        ("GET", 206, HEAD_SIZE, f"bytes=0-{HEAD_SIZE - 1}", "cdi-golang-importer"),
        ("GET", 206, 5000, "bytes=1000-5999", "cdi-golang-importer"),
    ]


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_a_stream_is_read_in_one_request(nginx: Nginx, a_source: Make, read: Read, tls: bool) -> None:
    name = "counted tls" if tls else "counted"
    source = a_source(nginx.url(name, "stream", tls=tls), ca_files=(nginx.ca_file,))
    facts = source.probe()
    assert (facts.ranges, facts.size) == (False, len(DATA))
    assert read(source.open(0, None), piece=1 << 20) == DATA
    (seen,) = nginx.wait_for_accesses(1, f"/stream/{name}")
    assert (seen.status, seen.bytes_sent) == (200, len(DATA))


def test_basic_auth(nginx: Nginx, a_source: Make) -> None:
    url = nginx.url("disk image.raw", "auth")
    assert a_source(url, user=USER, password=PASSWORD).probe().size == len(DATA)
    assert a_source(url.replace("://", "://fedora:p%40ss%20word@")).probe().size == len(DATA)
    for fields in ({}, {"user": USER}, {"user": USER, "password": "wrong"}):
        assert fault_of(a_source(url, **fields).probe).code == "SourceUnauthorized"


def test_a_server_that_could_compress_is_asked_not_to(nginx: Nginx, a_source: Make) -> None:
    facts = a_source(nginx.url("disk image.raw", "gzip")).probe()
    assert (facts.size, facts.ranges) == (len(DATA), True)


def test_an_object_stored_with_content_encoding_is_given_as_it_is(nginx: Nginx, a_source: Make, read: Read) -> None:
    source = a_source(nginx.url("disk.gz", "encoded"))
    facts = source.probe()
    packed = read(source.open(0, None), piece=1 << 20)
    assert (facts.size, facts.ranges, facts.coding, facts.head) == (len(packed), False, "gzip", packed[:HEAD_SIZE])
    assert gzip.decompress(packed) == DATA


def test_without_etag_the_date_is_the_validator(nginx: Nginx, a_source: Make, read: Read) -> None:
    source = a_source(nginx.url("disk image.raw", "noetag"))
    facts = source.probe()
    assert facts.etag is None and facts.last_modified is not None
    assert read(source.open(10, 10)) == DATA[10:20]
    path = nginx.root / "disk image.raw"
    stamp_ns = path.stat().st_mtime_ns
    os.utime(path, ns=(1, 1))
    try:
        assert fault_of(lambda: source.open(10, 10)).code == "SourceChanged"
    finally:
        os.utime(path, ns=(stamp_ns, stamp_ns))


def test_empty_and_missing_files(nginx: Nginx, a_source: Make) -> None:
    assert fault_of(a_source(nginx.url("empty")).probe).code == "SourceEmpty"
    fault = fault_of(a_source(nginx.url("nothing")).probe)
    assert fault.code == "SourceNotFound"
    assert fault.message.startswith("expected status code 200, got 404. Status: 404 Not Found [SourceNotFound] ")
    assert len(nginx.wait_for_accesses(1, "/plain/nothing")) == 1


def test_https_to_a_port_without_tls(nginx: Nginx, a_source: Make) -> None:
    url = nginx.url("disk image.raw").replace("http:", "https:")
    fault = fault_of(a_source(url).probe)
    assert (fault.code, fault.values["host"]) == ("TlsFailed", f"127.0.0.1:{nginx.http_port}")


def test_http_to_a_port_with_tls(nginx: Nginx, a_source: Make) -> None:
    url = nginx.url("disk image.raw", tls=True).replace("https:", "http:")
    assert fault_of(a_source(url).probe).code == "SourceRefused"


def test_an_untrusted_nginx(nginx: Nginx, a_source: Make) -> None:
    assert fault_of(a_source(nginx.url("disk image.raw", tls=True)).probe).code == "TlsUntrusted"


def test_reading_leaves_no_file_descriptor_behind(nginx: Nginx, a_source: Make, read: Read, tmp_path: Path) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = count()
    for kind in ("plain", "stream", "encoded"):
        source = a_source(nginx.url("disk.gz", kind, tls=True), ca_files=(nginx.ca_file,))
        source.probe()
        read(source.open(0, None), piece=1 << 20)
        source.open(0, None).close()
        source.close()
    assert count() == before
