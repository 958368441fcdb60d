"""Streams: the bytes of the source in order, whatever the connections do."""

import random
from collections.abc import Callable

import pytest
from support.memorysource import MemorySource

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.fetch.governor import Limits
from importer.fetch.reader import RangeReader
from importer.fetch.retry import RetryPolicy
from importer.fetch.stream import CHUNK, OrderedStream, SingleStream, fill

DATA = random.Random(2).randbytes(2 * CHUNK + 12_345)
QUICK = RetryPolicy(attempts=5, first_s=0)


def read_all(readinto: Callable[[memoryview], int], step: int = 65_536) -> bytes:
    buffer = memoryview(bytearray(step))
    parts = []
    while count := fill(readinto, buffer):
        parts.append(bytes(buffer[:count]))
    return b"".join(parts)


def an_ordered_stream(source: MemorySource, start: int = 0) -> OrderedStream:
    reader = RangeReader(source, QUICK, Cancel(), lambda count: None)
    return OrderedStream(reader, start, len(source.data), Limits(), lambda: source.served)


@pytest.mark.parametrize("start", [0, 1, CHUNK, len(DATA) - 1, len(DATA)])
def test_an_ordered_stream_gives_every_byte_from_its_start(start: int) -> None:
    assert read_all(an_ordered_stream(MemorySource(DATA), start).readinto) == DATA[start:]


def test_an_ordered_stream_reads_nothing_twice_through_breaks() -> None:
    source = MemorySource(DATA, breaks=[5, CHUNK + 7, 2 * CHUNK + 1])
    assert read_all(an_ordered_stream(source).readinto) == DATA
    assert source.served == len(DATA)


def test_the_fault_of_a_fetching_thread_reaches_the_consumer() -> None:
    source = MemorySource(DATA, breaks=[CHUNK + 9] * 5)
    with pytest.raises(Fault) as caught:
        read_all(an_ordered_stream(source).readinto)
    assert caught.value.code == "ConnectionLost"


def test_a_single_stream_skips_what_it_gave_before_a_break() -> None:
    source = MemorySource(DATA, ranges=False, breaks=[70_000])
    assert read_all(SingleStream(source, QUICK, Cancel(), lambda count: None).readinto) == DATA
    assert source.opened == [(0, None), (0, None)]


def test_a_single_stream_notices_that_the_source_changed_behind_a_break() -> None:
    source = MemorySource(DATA, ranges=False, breaks=[70_000])
    stream = SingleStream(source, QUICK, Cancel(), lambda count: None)
    buffer = memoryview(bytearray(70_000))
    assert fill(stream.readinto, buffer) == 70_000
    source.data = b"x" + DATA[1:]
    with pytest.raises(Fault) as caught:
        stream.readinto(buffer)
    assert caught.value.code == "SourceChanged"


def test_a_single_stream_that_breaks_before_its_first_byte_leaves_the_retry_to_others() -> None:
    source = MemorySource(DATA, ranges=False, breaks=[0])
    with pytest.raises(Fault):
        SingleStream(source, QUICK, Cancel(), lambda count: None).readinto(memoryview(bytearray(10)))
    assert len(source.opened) == 1
