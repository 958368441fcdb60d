"""Ranges after the probe: kept connections, broken ones, and answers that do not fit the first."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from support.faultserver import FaultServer, Route, etag_of

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.fetch.reader import RangeReader
from importer.fetch.retry import RetryPolicy
from importer.sources import HEAD_SIZE
from importer.sources.connection import Dialer
from importer.sources.connection import Route as ConnectionRoute
from importer.sources.http import HttpSource
from importer.sources.live import LiveSockets
from importer.sources.trust import Trust

Make = Callable[..., HttpSource]
Read = Callable[..., bytes]
DATA = random.Random(2).randbytes(1_000_000)
OTHER = random.Random(3).randbytes(1_000_000)


def fault_of(call: Callable[[], object]) -> Fault:
    with pytest.raises(Fault) as caught:
        call()
    return caught.value


@pytest.mark.parametrize("length", [1000, 300_000])
def test_bytes_behind_a_body_are_never_taken_for_the_next_answer(
    server: FaultServer, a_source: Make, read: Read, length: int
) -> None:
    forged = b"HTTP/1.1 206 OK\r\nContent-Range: bytes 7-16/1000000\r\nContent-Length: 10\r\n\r\nFORGEDDATA"
    source = a_source(server.add("/disk", Route(DATA, trailing=forged)))
    source.probe()
    assert read(source.open(0, length)) == DATA[:length]
    assert read(source.open(7, 10)) == DATA[7:17]


def test_many_ranges_use_one_connection_and_if_range(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA)))
    source.probe()
    for offset in range(0, 900_000, 100_000):
        assert read(source.open(offset, 50_000)) == DATA[offset : offset + 50_000]
    assert read(source.open(999_999, None)) == DATA[999_999:]
    assert server.connections == 1
    assert {request.headers.get("if-range") for request in server.requests[1:]} == {etag_of(DATA)}
    assert server.bytes_sent == HEAD_SIZE + 9 * 50_000 + 1


def test_ranges_in_chunks_are_counted_too(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA, chunked=True)))
    assert source.probe().ranges
    assert read(source.open(1000, 200_000)) == DATA[1000:201_000]
    assert read(source.open(5, 5)) == DATA[5:10]
    assert server.connections == 1
    assert read(source.open(len(DATA), None)) == b""
    assert len(server.requests) == 3
    server.add("/disk", Route(DATA, chunked=True, chunked_cut=7))
    fault = fault_of(lambda: read(source.open(1000, 200_000)))
    assert (fault.code, fault.values["got"], fault.values["expected"]) == ("SourceTruncated", 200_993, 201_000)


def test_a_body_read_exactly_to_its_end_gives_its_connection_back(server: FaultServer, a_source: Make) -> None:
    source = a_source(server.add("/disk", Route(DATA)))
    source.probe()
    for _ in range(3):
        body = source.open(0, 4096)
        assert body.readinto(memoryview(bytearray(4096))) == 4096  # no call that returns 0
        body.close()
    assert server.connections == 1


def test_an_abandoned_body_costs_its_connection_only(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA)))
    source.probe()
    body = source.open(0, None)
    body.readinto(memoryview(bytearray(10)))
    body.close()
    body.close()
    assert read(source.open(5, 10)) == DATA[5:15]
    assert server.connections == 2


def test_eight_threads_read_at_once(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA)))
    source.probe()
    offsets = [random.Random(4).randrange(900_000) for _ in range(64)]
    with ThreadPoolExecutor(8) as threads:
        pieces = list(threads.map(lambda offset: read(source.open(offset, 70_001)), offsets))
    assert pieces == [DATA[offset : offset + 70_001] for offset in offsets]
    assert server.connections <= 8


def test_a_connection_closed_while_idle_is_replaced_silently(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA, closes_silently=True)))
    source.probe()
    assert read(source.open(0, 1000)) == DATA[:1000]
    assert read(source.open(1000, 1000)) == DATA[1000:2000]
    assert server.statuses() == [206, 206, 206]


@pytest.mark.parametrize(("how", "code"), [("reset_at", "ConnectionLost"), ("cut_at", "SourceTruncated")])
def test_a_broken_range_gives_every_byte_that_arrived(server: FaultServer, a_source: Make, how: str, code: str) -> None:
    at = random.Random(5).randrange(100_000, 300_000)
    source = a_source(server.add("/disk", Route(DATA, trickle=(50_000, 0.02), **{how: {2: at}})))  # type: ignore[arg-type]
    source.probe()
    body = source.open(1000, 500_000)
    got, buffer = bytearray(), memoryview(bytearray(500_000))

    def drain() -> None:
        while True:
            got.extend(buffer[: body.readinto(buffer)])

    fault = fault_of(drain)
    body.close()
    assert fault.code == code
    assert fault.values["got"] == 1000 + len(got)  # where to go on
    assert got == DATA[1000 : 1000 + len(got)]
    if how == "cut_at":
        assert len(got) == at and fault.values["expected"] == 501_000


@pytest.mark.parametrize(
    ("route", "code"),
    [
        (Route(DATA, ranges=False, cut_at={1: 200_000}), "SourceTruncated"),
        (Route(DATA, ranges=False, chunked=True, cut_at={1: 200_000}), "ConnectionLost"),
        (Route(DATA, ranges=False, declared_length=1_000_500), "SourceTruncated"),
        (Route(DATA, ranges=False, declared_length=999_000), "SourceTooLong"),
    ],
    ids=["cut", "chunked and cut", "Content-Length too long", "Content-Length too short"],
)
def test_a_stream_that_ends_wrong_is_a_fault(
    server: FaultServer, a_source: Make, read: Read, route: Route, code: str
) -> None:
    source = a_source(server.add("/disk", route))
    source.probe()
    assert fault_of(lambda: read(source.open(0, None))).code == code


def test_a_stall_is_seen_after_the_time_given(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA, stall_at={2: 70_000})), stall_timeout_s=0.3)
    source.probe()
    fault = fault_of(lambda: read(source.open(100, None)))
    assert (fault.code, fault.values["seconds"], fault.values["got"]) == ("SourceStalled", "0.3", 70_100)


def test_a_server_that_accepts_and_says_nothing_stalls(server: FaultServer, a_source: Make) -> None:
    source = a_source(server.add("/disk", Route(DATA, delay_s=60)), stall_timeout_s=0.2)
    assert fault_of(source.probe).code == "SourceStalled"


def test_a_slow_server_is_no_stall_and_hands_over_what_it_has(server: FaultServer, a_source: Make, read: Read) -> None:
    source = a_source(server.add("/disk", Route(DATA[:100], trickle=(10, 0.1))), stall_timeout_s=0.5)
    source.probe()
    body = source.open(0, None)
    first = body.readinto(memoryview(bytearray(100)))
    assert 10 <= first < 100
    assert read(body) == DATA[first:100]


@pytest.mark.parametrize("framing", [{}, {"ranges": False}], ids=["ranges", "stream"])
def test_a_file_that_changes_is_never_mixed(
    server: FaultServer, a_source: Make, read: Read, framing: dict[str, bool]
) -> None:
    source = a_source(server.add("/disk", Route(DATA, changes=(2, OTHER), **framing)))  # type: ignore[arg-type]
    source.probe()
    read(source.open(0, None))
    if framing:
        read(source.open(0, None))
    fault = fault_of(lambda: source.open(0, None))
    assert fault.code == "SourceChanged"
    assert etag_of(DATA) in fault.what and etag_of(OTHER) in fault.what


@pytest.mark.parametrize(
    "changed",
    [
        {"changes": (1, OTHER[:999]), "etag": None},
        {"changes": (1, DATA + b"x"), "etag": None},
    ],
    ids=["shorter", "longer"],
)
def test_another_length_is_a_change_too(server: FaultServer, a_source: Make, changed: dict[str, object]) -> None:
    source = a_source(server.add("/disk", Route(DATA, **changed)))  # type: ignore[arg-type]
    source.probe()
    assert fault_of(lambda: source.open(1000, 10)).code == "SourceChanged"


def test_ranges_that_stop_working_are_transient(server: FaultServer, a_source: Make, read: Read) -> None:
    url = server.add("/disk", Route(DATA, ignore_ranges_after=1))
    source = a_source(url)
    source.probe()
    fault = fault_of(lambda: source.open(1000, 10))
    assert (fault.code, fault.permanent, fault.values["status"]) == ("RangesWithdrawn", False, "200 OK")
    server.add("/disk", Route(DATA))
    assert read(source.open(1000, 10)) == DATA[1000:1010]


def test_other_bytes_than_asked_for_are_refused(server: FaultServer, a_source: Make) -> None:
    url = server.add("/disk", Route(DATA))
    source = a_source(url)
    source.probe()
    server.add("/disk", Route(DATA, content_range_shift=-512))
    fault = fault_of(lambda: source.open(1000, 10))
    assert fault.code == "RangesWithdrawn"
    assert fault.values["detail"] == "Content-Range 488-497 instead of 1000-1009"
    server.add("/disk", Route(DATA, content_range_total=5))
    assert fault_of(lambda: source.open(1000, 10)).code == "SourceChanged"


def test_statuses_in_the_middle_have_their_faults(server: FaultServer, a_source: Make, read: Read) -> None:
    url = server.add("/disk", Route(DATA))
    source = a_source(url)
    source.probe()
    server.add("/disk", Route(DATA, first=(1, 503), headers={"Retry-After": "3"}))
    fault = fault_of(lambda: source.open(0, 10))
    assert (fault.code, fault.contract, fault.values["retry_after_s"]) == ("SourceUnavailable", "", 3.0)
    assert read(source.open(0, 10)) == DATA[:10]
    server.add("/disk", Route(status=404))
    assert fault_of(lambda: source.open(0, 10)).code == "SourceNotFound"
    assert server.statuses()[-1:] == [404]


def test_an_interrupt_ends_every_blocked_read_at_once(server: FaultServer, a_source: Make, read: Read) -> None:
    stalls = dict.fromkeys(range(2, 6), 1000)
    source = a_source(server.add("/disk", Route(DATA, stall_at=stalls)), stall_timeout_s=30.0)
    source.probe()
    faults: list[Fault] = []
    threads = [
        threading.Thread(target=lambda: faults.append(fault_of(lambda: read(source.open(0, None))))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    server.wait_for_bytes(HEAD_SIZE + 4 * 1000)
    started_s = time.monotonic()
    source.interrupt()
    for thread in threads:
        thread.join(5)
    assert time.monotonic() - started_s < 1
    assert [fault.code for fault in faults] == ["Cancelled"] * 4
    assert fault_of(lambda: source.open(0, 10)).code == "Cancelled"


def test_nobody_listening_and_unknown_names_are_told_apart(a_source: Make) -> None:
    with FaultServer() as gone:
        url = gone.url("/disk")
    fault = fault_of(a_source(url).probe)
    assert (fault.code, fault.values["host"]) == ("ConnectionRefused", f"127.0.0.1:{gone.port}")
    assert fault.values["cause"] == "connection refused"
    dialer = Dialer(Trust((), insecure=False), LiveSockets(), 1.0, 1.0)
    # Refused by getaddrinfo itself: a test must not ask a name server.
    assert fault_of(lambda: dialer.dial(ConnectionRoute("http", "::1::2", 80, None))).code == "HostUnknown"


def test_what_is_not_http_is_a_lost_connection(a_source: Make) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            peer, _ = listener.accept()
            peer.recv(4096)
            peer.sendall(b"220 ftp ready\r\n")
            peer.close()

        thread = threading.Thread(target=greet)
        thread.start()
        fault = fault_of(a_source(f"http://127.0.0.1:{listener.getsockname()[1]}/x").probe)
        thread.join()
    assert fault.code == "ConnectionLost" and "not valid HTTP" in fault.message


def test_a_transfer_that_breaks_five_times_fetches_no_byte_twice(server: FaultServer, a_source: Make) -> None:
    places = {number: random.Random(number).randrange(1, 150_000) for number in range(2, 7)}
    source = a_source(server.add("/disk", Route(DATA, cut_at=places)))
    source.probe()
    policy = RetryPolicy(attempts=3, first_s=0.001, longest_s=0.001)
    reader = RangeReader(source, policy, Cancel(), lambda count: None)
    assert reader.read_at(0, len(DATA)) == DATA
    assert server.statuses() == [206] * 7
    assert server.bytes_sent == HEAD_SIZE + len(DATA)
