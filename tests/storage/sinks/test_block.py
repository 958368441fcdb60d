"""The device sink on loop devices with 512 and 4096 byte sectors, full of another tenant's data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from support.loopdev import allocated, loop_device, sector_of
from support.sinkcontract import Bench, FullSink, SinkContract, pattern

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.sinks import kernel
from importer.sinks.block import BlockSink
from importer.sinks.options import SinkOptions
from importer.sinks.registry import open_sink

CAPACITY = 8 * MiB


class Stubborn(BlockSink):
    """A device without hole punching, as old or plain disks are."""

    def _punch(self, offset: int, length: int) -> bool:
        return False


@pytest.fixture(params=[512, 4096])
def sector(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def device(tmp_path: Path, sector: int) -> Iterator[Path]:
    with loop_device(tmp_path, CAPACITY, sector, dirty=True) as path:
        yield path


class TestBlockSink(SinkContract):
    @pytest.fixture(params=["punching", "stubborn", "preallocated", "buffered"])
    def bench(self, request: pytest.FixtureRequest, device: Path) -> Bench:
        kind = request.param

        def open_(size: int, resume: bool) -> FullSink:
            options = SinkOptions(resume=resume, preallocate=kind == "preallocated", unaligned=kind == "buffered")
            sink = (Stubborn if kind == "stubborn" else BlockSink)(device, size, options)
            if kind in ("stubborn", "preallocated") and not resume:
                sink.zero(0, size)  # what a transfer does with the holes of an image
            return sink

        return Bench(open_, device.read_bytes)


STAMP = 4096  # at the end of the first MiB, until publication


def without_stamp(device: Path) -> bytes:
    data = device.read_bytes()
    return data[: MiB - STAMP] + data[MiB:]


def test_a_stamp_lasts_for_an_attempt_and_not_longer(device: Path) -> None:
    def opened(*, resume: bool) -> tuple[str, BlockSink]:
        sink = BlockSink(device, CAPACITY, SinkOptions(resume=resume))
        if resume:
            sink.go_on()
        sink.sync()  # as a checkpoint does
        return sink.stamp, sink

    first, sink = opened(resume=False)
    sink.close()
    second, sink = opened(resume=True)
    assert second == first
    sink.start_anew()
    third = sink.stamp
    sink.sync()
    sink.close()
    assert third != first
    _, sink = opened(resume=True)
    assert sink.stamp == third
    sink.publish()
    sink.close()
    assert third.encode() not in device.read_bytes()
    fourth, sink = opened(resume=True)
    sink.close()
    assert fourth not in (first, third)


def test_a_device_vouches_for_the_newest_records_that_were_made_of_it_and_for_no_other(device: Path) -> None:
    sink = BlockSink(device, CAPACITY)
    records = [f"record {number}" for number in range(50)]
    for record in records:
        sink.vouch(record)
    sink.close()
    for _ in range(2):  # going on forgets none
        sink = BlockSink(device, CAPACITY, SinkOptions(resume=True))
        sink.go_on()
        assert all(map(sink.vouches_for, records[-32:]))
        assert not any(map(sink.vouches_for, ["", "record", f"{records[-1]} ", *records[:18]]))
        sink.close()
    sink = BlockSink(device, CAPACITY, SinkOptions(resume=True))
    sink.start_anew()
    assert not any(map(sink.vouches_for, records))
    sink.vouch("new")
    sink.close()
    sink = BlockSink(device, CAPACITY, SinkOptions(resume=True))
    assert [record for record in ("new", *records) if sink.vouches_for(record)] == ["new"]
    sink.go_on()
    sink.publish()
    sink.close()
    sink = BlockSink(device, CAPACITY, SinkOptions(resume=True))
    assert not sink.vouches_for("new")
    sink.close()


def test_the_logical_block_size_is_honoured(device: Path, sector: int) -> None:
    assert sector_of(device) == sector
    sink = BlockSink(device, MiB)
    assert sink.align == sector
    assert sink.capacity == CAPACITY
    sink.close()


def test_a_dirty_device_reads_as_zeros_from_the_start(device: Path) -> None:
    sink = open_sink(device, 4 * MiB)
    assert isinstance(sink, BlockSink)
    assert sink.blank
    assert not any(without_stamp(device))
    sink.close()


def test_the_first_mebibyte_stays_zero_until_publication(device: Path) -> None:
    sink = BlockSink(device, CAPACITY)
    data = pattern(2 * MiB)
    sink.write(0, memoryview(data))
    sink.sync()
    assert not any(without_stamp(device)[: MiB - STAMP])
    assert device.read_bytes()[MiB : 2 * MiB] == data[MiB:]
    assert sink.read(0, 2 * MiB) == data
    assert sink.volatile_ranges() == [(0, MiB)]
    sink.publish()
    sink.close()
    assert device.read_bytes() == data.ljust(CAPACITY, b"\0")


def test_a_device_without_punching_still_ends_equal_to_the_image(device: Path) -> None:
    sink = Stubborn(device, 4 * MiB)
    assert not sink.blank
    data = pattern(MiB)
    sink.zero(0, 2 * MiB)
    sink.write(2 * MiB, memoryview(data))
    sink.write(3 * MiB, memoryview(bytes(MiB)))
    sink.publish()
    sink.close()
    assert device.read_bytes() == (bytes(2 * MiB) + data).ljust(CAPACITY, b"\0")


def test_a_device_without_any_zeroing_gets_zeros_written(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(fd: int, offset: int, length: int) -> None:
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(kernel, "zero_out", refused)
    sink = Stubborn(device, 3 * MiB + 100)
    data = pattern(100)
    sink.zero(0, 3 * MiB)
    sink.write(3 * MiB, memoryview(data))
    sink.publish()
    sink.close()
    assert device.read_bytes() == (bytes(3 * MiB) + data).ljust(CAPACITY, b"\0")


def test_512_byte_clusters_fit_on_any_device_when_asked_for(device: Path) -> None:
    sink = BlockSink(device, CAPACITY, SinkOptions(unaligned=True))
    data = pattern(32 * KiB)
    for offset in range(0, len(data), 512):
        sink.write(2 * MiB + offset, memoryview(data)[offset : offset + 512])
    sink.zero(2 * MiB + 512, 1024)
    sink.publish()
    sink.close()
    assert device.read_bytes()[2 * MiB : 2 * MiB + len(data)] == data  # a blank device: nothing to zero


def test_zeros_smaller_than_a_sector_spare_their_neighbours(device: Path) -> None:
    sink = Stubborn(device, CAPACITY, SinkOptions(unaligned=True))
    data = bytearray(pattern(32 * KiB))
    sink.write(2 * MiB, memoryview(bytes(data)))
    for offset, length in ((512, 512), (5000, 9000), (20000, 100)):
        sink.zero(2 * MiB + offset, length)
        data[offset : offset + length] = bytes(length)
    sink.publish()
    sink.close()
    assert device.read_bytes()[2 * MiB : 2 * MiB + len(data)] == data


def test_a_larger_disk_than_the_device_is_refused_and_the_device_left_alone(device: Path) -> None:
    before = device.read_bytes()
    with pytest.raises(Fault) as caught:
        BlockSink(device, CAPACITY + 1)
    assert caught.value.code == "TargetTooSmall"
    assert device.read_bytes() == before
    sink = BlockSink(device, 0)
    with pytest.raises(Fault) as caught:
        sink.grow(CAPACITY + 1)
    assert caught.value.code == "TargetTooSmall"
    sink.close()


def test_a_second_importer_is_refused(device: Path) -> None:
    first = BlockSink(device, MiB)
    with pytest.raises(Fault) as caught:
        BlockSink(device, MiB)
    assert caught.value.code == "TargetBusy"
    first.close()


def test_a_resume_keeps_what_was_written_behind_the_first_mebibyte(device: Path) -> None:
    sink = BlockSink(device, CAPACITY)
    data = pattern(CAPACITY)
    sink.write(0, memoryview(data))
    identity = sink.identity()
    sink.close()
    again = BlockSink(device, CAPACITY, SinkOptions(resume=True))
    assert again.identity() == identity
    again.go_on()
    assert again.read(0, MiB) == bytes(MiB)
    again.write(0, memoryview(data)[:MiB])
    again.publish()
    again.close()
    assert device.read_bytes() == data


def test_another_attachment_under_the_same_name_is_another_device(tmp_path: Path) -> None:
    seen = []
    for _ in range(2):
        with loop_device(tmp_path, 2 * MiB) as device:
            sink = BlockSink(device, MiB)
            seen.append(sink.identity())
            sink.close()
    assert seen[0] != seen[1]


def test_discarding_zeroes_both_ends(device: Path) -> None:
    sink = BlockSink(device, CAPACITY)
    sink.write(0, memoryview(pattern(CAPACITY)))
    sink.publish()
    sink.discard()
    sink.close()
    left = device.read_bytes()
    assert not any(left[:MiB])
    assert not any(left[-MiB:])


def test_the_stamp_goes_before_what_it_vouches_for(device: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sink = BlockSink(device, CAPACITY)
    sink.write(MiB, memoryview(pattern(MiB)))
    sink.sync()
    stamp, put = sink.stamp.encode(), sink._channel.put_zeroes
    stamped: dict[int, bool] = {}

    def seen(offset: int, length: int) -> None:
        stamped[offset] = stamp in device.read_bytes()[:MiB]
        put(offset, length)

    monkeypatch.setattr(sink._channel, "put_zeroes", seen)
    sink.discard()
    sink.close()
    assert stamped == {0: True, CAPACITY - MiB: False}


def test_a_thin_device_stays_thin_unless_preallocated(tmp_path: Path) -> None:
    for preallocate, least, most in ((False, MiB, 2 * MiB + 64 * KiB), (True, CAPACITY, CAPACITY + MiB)):
        with loop_device(tmp_path, CAPACITY) as device:
            backing = next(tmp_path.glob("*.backing"))
            sink = BlockSink(device, CAPACITY, SinkOptions(preallocate=preallocate))
            sink.zero(0, 4 * MiB)
            sink.write(4 * MiB, memoryview(pattern(MiB)))
            sink.zero(5 * MiB, 3 * MiB)
            sink.publish()
            sink.close()
            assert least <= allocated(backing) <= most


def test_a_device_smaller_than_a_mebibyte_works(tmp_path: Path) -> None:
    with loop_device(tmp_path, 64 * KiB, dirty=True) as device:
        sink = BlockSink(device, 10_000)
        data = pattern(10_000)
        sink.write(0, memoryview(data))
        sink.publish()
        sink.close()
        assert device.read_bytes() == data.ljust(64 * KiB, b"\0")


def test_what_is_no_device_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"x")
    with pytest.raises(Fault) as caught:
        BlockSink(path, MiB)
    assert caught.value.code == "TargetFailed"
    with pytest.raises(Fault) as caught:
        BlockSink(tmp_path / "gone", MiB)
    assert caught.value.code == "TargetMissing"


def test_a_read_only_device_is_refused_before_anything_is_fetched(tmp_path: Path) -> None:
    with loop_device(tmp_path, 2 * MiB, read_only=True) as device, pytest.raises(Fault) as caught:
        BlockSink(device, MiB)
    assert caught.value.code == "TargetReadOnly"
