"""RangeReader: every byte once, in order, through any number of breaks."""

import random

import pytest
from support.memorysource import MemorySource

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.fetch.reader import RangeReader
from importer.fetch.retry import Patience, RetryPolicy

DATA = random.Random(1).randbytes(100_000)


def a_reader(source: MemorySource, attempts: int = 5) -> RangeReader:
    return RangeReader(source, RetryPolicy(attempts=attempts, first_s=0), Cancel(), lambda count: None)


def read(reader: RangeReader, offset: int, length: int, unit: int) -> bytes:
    buffer = memoryview(bytearray(unit))
    return b"".join(bytes(view) for view in reader.units(offset, length, buffer))


@pytest.mark.parametrize("unit", [1, 4096, 100_000, 200_000])
def test_units_cover_the_range_exactly(unit: int) -> None:
    length = 50 if unit == 1 else 77_777
    assert read(a_reader(MemorySource(DATA)), 123, length, unit) == DATA[123 : 123 + length]


def test_a_break_is_continued_at_the_same_byte_and_nothing_is_read_twice() -> None:
    source = MemorySource(DATA, breaks=[0, 10_000, 10_001, 99_999])
    assert read(a_reader(source), 0, len(DATA), 4096) == DATA
    assert source.served == len(DATA)
    assert [offset for offset, _ in source.opened] == [0, 0, 10_000, 10_001, 99_999]


def test_patience_ends_after_the_allowed_failures_in_a_row() -> None:
    source = MemorySource(DATA, breaks=[500] * 3)
    with pytest.raises(Fault) as caught:
        read(a_reader(source, attempts=3), 0, 1000, 1000)
    assert caught.value.code == "ConnectionLost"
    assert len(source.opened) == 3


def test_progress_renews_patience() -> None:
    source = MemorySource(DATA, breaks=[100, 200, 300, 400, 500])
    assert read(a_reader(source, attempts=2), 0, 1000, 1000) == DATA[:1000]


def test_a_request_to_stop_ends_reading() -> None:
    cancel = Cancel()
    reader = RangeReader(MemorySource(DATA), RetryPolicy(), cancel, lambda count: cancel.request())
    with pytest.raises(Fault) as caught:
        list(reader.units(0, 1000, memoryview(bytearray(100))))
    assert caught.value.code == "Cancelled"


def a_fault(code: str, **values: object) -> Fault:
    return Fault(code, source="x", **values)


def test_permanent_faults_are_not_waited_out() -> None:
    with pytest.raises(Fault):
        Patience(RetryPolicy(), lambda s: pytest.fail("waited")).wait_or_raise(a_fault("SourceNotFound", status=404))


def test_back_off_doubles_up_to_its_limit_and_honours_retry_after() -> None:
    waits: list[float] = []
    patience = Patience(RetryPolicy(attempts=9, first_s=1, longest_s=8), waits.append, jitter=lambda: 1.0)
    for _ in range(5):
        patience.wait_or_raise(a_fault("SourceUnavailable", status=503))
    patience.wait_or_raise(a_fault("SourceUnavailable", status=429, retry_after_s=17))
    assert waits == [1, 2, 4, 8, 8, 17]
