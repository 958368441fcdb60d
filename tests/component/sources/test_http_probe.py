"""The one request that tells everything."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

import pytest
from support.faultserver import FaultServer, Route, etag_of

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE
from importer.sources.http import HttpSource

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(1).randbytes(300_000)


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


def test_ranges_size_and_validator_cost_one_request(server: FaultServer, a_source: Make) -> None:
    facts = a_source(server.add("/disk", Route(DATA))).probe()
    assert (facts.size, facts.ranges, facts.etag, facts.head) == (len(DATA), True, etag_of(DATA), DATA[:HEAD_SIZE])
    (request,) = server.requests
    assert (request.method, request.headers["range"]) == ("GET", f"bytes=0-{HEAD_SIZE - 1}")
    assert request.headers["user-agent"] == "cdi-golang-importer"
    assert request.headers["accept-encoding"] == "identity"
    assert server.bytes_sent == HEAD_SIZE


@pytest.mark.parametrize(
    "framing",
    [
        Route(DATA, ranges=False),
        Route(DATA, ranges=False, chunked=True),
        Route(DATA, ranges=False, no_length=True),
        Route(DATA, ranges=False, chunked=True, head_status=400, etag=None),  # KubeVirt's export server
    ],
    ids=["length", "chunked", "until close", "export server"],
)
def test_a_server_without_ranges_is_read_with_the_probes_own_answer(
    server: FaultServer, a_source: Make, read: Read, framing: Route
) -> None:
    source = a_source(server.add("/disk", framing))
    facts = source.probe()
    assert not facts.ranges
    assert facts.size == (None if framing.chunked or framing.no_length else len(DATA))
    assert facts.head == DATA[:HEAD_SIZE]
    assert read(source.open(0, None)) == DATA
    assert server.statuses() == [200]
    assert read(source.open(0, None)) == DATA  # a second reading asks again
    assert server.statuses() == [200, 200]


@pytest.mark.parametrize("framing", [Route(DATA[:1000], ranges=False), Route(DATA[:1000], chunked=True, ranges=False)])
def test_a_small_file_is_known_completely(server: FaultServer, a_source: Make, read: Read, framing: Route) -> None:
    source = a_source(server.add("/disk", framing))
    facts = source.probe()
    assert (facts.size, facts.head) == (1000, DATA[:1000])
    assert read(source.open(0, None)) == DATA[:1000]
    assert len(server.requests) == 1


def test_a_small_file_with_ranges_has_them(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA[:1000])))
    facts = source.probe()
    assert (facts.size, facts.ranges, facts.head) == (1000, True, DATA[:1000])
    assert read(source.open(10, 20)) == DATA[10:30]
    assert server.connections == 1


@pytest.mark.parametrize(
    "route",
    [Route(b""), Route(b"", ranges=False), Route(b"", ranges=False, chunked=True), Route(b"", no_length=True)],
    ids=["416 with total 0", "Content-Length 0", "chunked", "until close"],
)
def test_an_empty_file_costs_at_most_two_requests(server: FaultServer, a_source: Make, route: Route) -> None:
    source = a_source(server.add("/disk", route))
    assert fault_of(source.probe).code == "SourceEmpty"
    assert len(server.requests) <= 2


@pytest.mark.parametrize(
    ("status", "code"),
    [(404, "SourceNotFound"), (410, "SourceNotFound"), (401, "SourceUnauthorized"), (403, "SourceUnauthorized"),
     (400, "SourceRefused"), (405, "SourceRefused"), (500, "SourceUnavailable"), (503, "SourceUnavailable")],
)  # fmt: skip
def test_a_refusal_costs_one_request(server: FaultServer, a_source: Make, status: int, code: str) -> None:
    fault = fault_of(a_source(server.add("/disk", Route(status=status))).probe)
    assert fault.code == code
    assert fault.contract.startswith(f"expected status code 200, got {status}. Status: {status} ")
    assert len(server.requests) == 1


def test_the_wait_a_server_asks_for_is_in_the_fault(server: FaultServer, a_source: Make) -> None:
    url = server.add("/disk", Route(DATA, first=(1, 429), headers={"Retry-After": "7"}))
    source = a_source(url)
    assert fault_of(source.probe).values["retry_after_s"] == 7.0
    assert source.probe().size == len(DATA)
    assert server.connections == 1  # the refusal's short body was read: its connection is still good


def test_a_web_page_is_read_but_noted(server: FaultServer, a_source: Make) -> None:
    route = Route(b"<html>please log in</html>", content_type="text/html; charset=utf-8", ranges=False)
    facts = a_source(server.add("/disk", route)).probe()
    assert facts.notes == (
        "Unexpected content type 'text/html; charset=utf-8'. Content might not be a KubeVirt image.",
    )


@pytest.mark.parametrize(
    "route",
    [
        Route(DATA, content_range_shift=512),
        Route(DATA, headers={"Content-Range": "none"}),
        Route(DATA, first=(1, 416)),
    ],
    ids=["wrong start", "unreadable Content-Range", "416"],
)
def test_a_server_with_broken_ranges_is_asked_again_without(
    server: FaultServer, a_source: Make, read: Read, route: Route
) -> None:
    source = a_source(server.add("/disk", route))
    facts = source.probe()
    assert (facts.ranges, facts.size) == (False, len(DATA))
    assert read(source.open(0, None)) == DATA
    assert len(server.requests) == 2
    assert "range" not in server.requests[1].headers


@pytest.mark.parametrize("ranges", [True, False])
def test_what_is_packed_on_the_way_is_given_as_it_is_transferred(
    server: FaultServer, a_source: Make, read: Read, ranges: bool
) -> None:
    source = a_source(server.add("/disk.qcow2", Route(DATA, gzip_encoding=True, ranges=ranges)))
    facts = source.probe()
    assert (facts.ranges, facts.coding) == (False, "gzip")
    transferred = read(source.open(0, None))
    assert transferred.startswith(facts.head)
    assert gzip.decompress(transferred) == DATA
    assert len(server.requests) == (2 if ranges else 1)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "X-GZip", "gzip, identity", "utf-8, gzip"])
def test_a_packed_file_is_given_as_it_is_whatever_its_coding_is_called(
    server: FaultServer, a_source: Make, read: Read, coding: str
) -> None:
    packed = gzip.compress(DATA, 1)
    source = a_source(server.add("/disk.gz", Route(packed, content_encoding=coding)))
    facts = source.probe()
    assert (facts.size, facts.coding) == (len(packed), "gzip")
    assert read(source.open(0, None)) == packed


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", "zstd"])
def test_a_coding_that_the_bytes_have_not_is_noted_and_left_alone(
    server: FaultServer, a_source: Make, read: Read, coding: str
) -> None:
    source = a_source(server.add("/disk", Route(DATA, content_encoding=coding)))
    facts = source.probe()
    assert facts.coding == ""
    assert "Content-Encoding" in facts.notes[0]
    assert "the bytes are none" in facts.notes[0]
    assert read(source.open(0, None)) == DATA


@pytest.mark.parametrize("coding", ["identity", "none", "binary", "UTF-8", "aws-chunked", ""])
def test_what_is_no_coding_changes_nothing(server: FaultServer, a_source: Make, coding: str) -> None:
    facts = a_source(server.add("/disk", Route(DATA, content_encoding=coding))).probe()
    assert (facts.ranges, facts.size, facts.coding, facts.notes) == (True, len(DATA), "", ())


@pytest.mark.parametrize("coding", ["br", "deflate", "compress", "gzip, br", "gzip, gzip", "dcb", "\x1b[31m"])
def test_codings_that_nothing_here_undoes_are_refused(server: FaultServer, a_source: Make, coding: str) -> None:
    fault = fault_of(a_source(server.add("/disk", Route(DATA, content_encoding=coding))).probe)
    assert fault.code == "ContentEncodingUnknown"
    assert fault.message.isprintable()


def test_other_encodings_are_refused(server: FaultServer, a_source: Make) -> None:
    fault = fault_of(a_source(server.add("/disk", Route(DATA, content_encoding="br", ranges=False))).probe)
    assert (fault.code, fault.values["encoding"]) == ("ContentEncodingUnknown", "br")


def test_a_weak_etag_is_no_validator(server: FaultServer, a_source: Make) -> None:
    assert a_source(server.add("/disk", Route(DATA, etag='W/"x"'))).probe().etag is None


def test_required_headers_are_sent_and_never_shown(server: FaultServer, a_source: Make) -> None:
    url = server.add("/disk", Route(DATA, requires=("x-kubevirt-export-token", "hunter2")))
    source = a_source(url, secret_headers=("x-kubevirt-export-token:hunter2\n",))
    assert source.probe().size == len(DATA)
    fault = fault_of(a_source(url + "?sig=hunter2", secret_headers=("other: hunter2",)).probe)
    assert fault.code == "SourceUnauthorized" and "hunter2" not in fault.message
