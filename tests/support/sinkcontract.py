"""What every sink must do, whatever it writes to. Subclass with a ``bench`` fixture that gives a ``Bench``."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from cdi.base.units import KiB, MiB
from importer.sinks import Sink


class FullSink(Sink, Protocol):
    fresh: bool

    def grow(self, size: int) -> None: ...
    def start_anew(self) -> None: ...
    def go_on(self, reach: int = 0) -> None: ...
    def identity(self) -> str: ...
    def volatile_ranges(self) -> list[tuple[int, int]]: ...


@dataclass
class Bench:
    """``open(size, resume)`` gives a sink on the target; ``content()`` what the published target holds."""

    open: Callable[[int, bool], FullSink]
    content: Callable[[], bytes]


SIZE = 6 * MiB + 512


def pattern(length: int, seed: int = 1) -> bytes:
    return random.Random(seed).randbytes(length)


class SinkContract:
    def test_what_was_written_is_the_published_disk_and_the_rest_is_zero(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        expected = bytearray(SIZE)
        for offset, length in ((0, 4 * KiB), (MiB - 4 * KiB, MiB), (3 * MiB, 64 * KiB)):
            data = pattern(length, offset + 1)
            sink.write(offset, memoryview(data))
            expected[offset : offset + length] = data
        sink.publish()
        sink.close()
        assert bench.content()[:SIZE] == expected
        assert not any(bench.content()[SIZE:])

    def test_the_end_of_the_disk_may_be_unaligned(self, bench: Bench) -> None:
        size = SIZE - 100
        sink = bench.open(size, False)
        data = pattern(MiB + 412)
        sink.write(size - len(data), memoryview(data))
        sink.publish()
        sink.close()
        assert bench.content()[size - len(data) : size] == data
        assert not any(bench.content()[size:])

    def test_data_at_an_odd_address_is_written_whole(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        data = pattern(3 * MiB + 1)
        sink.write(2 * MiB, memoryview(data)[1:])
        sink.publish()
        sink.close()
        assert bench.content()[2 * MiB : 5 * MiB] == data[1:]

    def test_zero_blocks_among_data_read_as_zeros(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        data = bytes(64 * KiB) + pattern(64 * KiB) + bytes(2 * MiB) + pattern(8 * KiB, 2) + bytes(56 * KiB)
        sink.write(MiB, memoryview(data))
        sink.publish()
        sink.close()
        assert bench.content()[MiB : MiB + len(data)] == data

    def test_zeros_on_a_resumed_disk_replace_what_was_there(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        old = pattern(SIZE)
        sink.write(0, memoryview(old))
        sink.sync()
        sink.close()
        again = bench.open(SIZE, True)
        again.go_on()
        again.write(0, memoryview(old)[:MiB])  # volatile on a device
        again.zero(2 * MiB, 128 * KiB)
        again.write(4 * MiB, memoryview(bytes(MiB)))
        again.publish()
        again.close()
        expected = bytearray(old)
        expected[2 * MiB : 2 * MiB + 128 * KiB] = bytes(128 * KiB)
        expected[4 * MiB : 5 * MiB] = bytes(MiB)
        assert bench.content()[:SIZE] == expected

    def test_what_is_kept_behind_the_size_that_was_planned_is_neither_cut_off_nor_made_zero(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        data = pattern(SIZE)
        sink.write(0, memoryview(data))
        sink.sync()
        sink.close()
        again = bench.open(2 * MiB, True)
        again.go_on(SIZE)
        again.write(0, memoryview(data)[:MiB])  # volatile on a device
        again.grow(SIZE)
        again.publish()
        again.close()
        assert again.size == SIZE
        assert bench.content()[:SIZE] == data

    def test_starting_anew_forgets_an_earlier_attempt(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        sink.write(0, memoryview(pattern(SIZE)))
        sink.close()
        again = bench.open(SIZE, True)
        again.start_anew()
        again.zero(0, SIZE)
        again.publish()
        again.close()
        assert not any(bench.content())

    def test_written_bytes_can_be_read_before_publication(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        data = pattern(2 * MiB)
        sink.write(MiB // 2, memoryview(data))
        assert sink.read(MiB // 2 + 7, MiB + 13) == data[7 : MiB + 20]
        assert sink.read(SIZE - 700, 700) == bytes(700)
        sink.close()

    def test_a_disk_can_grow_before_publication(self, bench: Bench) -> None:
        sink = bench.open(MiB + 100, False)
        data = pattern(MiB + 100)
        sink.write(0, memoryview(data))
        sink.grow(2 * MiB)
        sink.publish()
        sink.close()
        assert sink.size == 2 * MiB
        assert bench.content()[: 2 * MiB] == data.ljust(2 * MiB, b"\0")

    def test_a_disk_of_unknown_size_is_as_long_as_what_was_written(self, bench: Bench) -> None:
        sink = bench.open(0, False)
        data = pattern(2 * MiB + 77)
        sink.write(0, memoryview(data)[:MiB])
        sink.write(MiB, memoryview(data)[MiB:])
        sink.publish()
        sink.close()
        assert sink.size == len(data)
        assert bench.content()[: len(data)] == data

    def test_threads_may_write_disjoint_ranges(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        data = pattern(6 * MiB)

        def write_every_fourth(first: int) -> None:
            for offset in range(first * 64 * KiB, len(data), 256 * KiB):
                sink.write(offset, memoryview(data)[offset : offset + 64 * KiB])

        threads = [threading.Thread(target=write_every_fourth, args=(first,)) for first in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        sink.publish()
        sink.close()
        assert bench.content()[: 6 * MiB] == data

    def test_a_discarded_disk_leaves_nothing_at_its_ends(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        sink.write(0, memoryview(pattern(SIZE)))
        sink.discard()
        sink.close()
        left = bench.content()
        assert not any(left[:MiB])
        assert not any(left[-MiB:])

    def test_closing_twice_does_no_harm(self, bench: Bench) -> None:
        sink = bench.open(SIZE, False)
        sink.close()
        sink.close()
        assert sink.size == SIZE
