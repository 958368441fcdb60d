"""Every field of every header at its ends, and every header cut: a Fault, or a map that keeps its promises."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from itertools import product
from typing import Literal, NamedTuple

import pytest
from support.hostile import CLUSTER, qcow2, vdi, vhd, vmdk
from support.images import check_extent, reader
from support.vhdx import METADATA, TABLE, KiB, image, summed

from cdi.base.faults import Fault
from importer.formats.ending import disk_in
from importer.formats.foreign import document, packing, refuse_unread_formats
from importer.formats.magic import looks_like_a_page, recognise
from importer.formats.qcow2_stream import Qcow2Placer
from importer.formats.registry import open_image
from importer.formats.vhd import fixed_vhd_footer

Order = Literal["little", "big"]


def footed(data: bytearray, _: int) -> bytes:
    """A dynamic VHD with both of its sums made anew."""
    for start, length, field in ((0, 512, 64), (512, 1024, 36)):
        part = data[start : start + length]
        part[field : field + 4] = bytes(4)
        struct.pack_into(">I", data, start + field, ~sum(part) & 0xFFFFFFFF)
    return bytes(data)


def alone() -> bytearray:
    """A VHDX with one copy of what it has two of."""
    return image({128 * KiB: b"none", 256 * KiB: b"none"})


def resummed(data: bytearray, changed: int) -> bytes:
    """A VHDX with the sum over what was changed made anew."""
    for start, length in ((64 * KiB, 4 * KiB), (192 * KiB, 64 * KiB)):
        if start <= changed < start + length:
            data[start : start + length] = summed(bytes(data[start : start + length]), length)
    return bytes(data)


def packed_vmdk() -> bytearray:
    made = vmdk(flags=3 << 16 | 3)
    made[77] = 1
    return made


def as_it_is(data: bytearray, _: int) -> bytes:
    return bytes(data)


class Made(NamedTuple):
    """``places``: of the fields. ``sealed``: with the sums right, of an image that was changed at a place."""

    make: Callable[[], bytearray]
    places: list[range]
    order: Order
    sealed: Callable[[bytearray, int], bytes] = as_it_is


IMAGES = {
    "qcow2": Made(
        qcow2,
        [range(120), range(3 * CLUSTER, 3 * CLUSTER + 16), range(4 * CLUSTER, 4 * CLUSTER + 16)],
        "big",
    ),
    "qcow2 with subclusters": Made(
        lambda: qcow2(incompatible=16), [range(72, 80), range(4 * CLUSTER, 4 * CLUSTER + 32)], "big"
    ),
    "vmdk": Made(vmdk, [range(80), range(26 * 512, 26 * 512 + 8), range(30 * 512, 30 * 512 + 8)], "little"),
    "vmdk, packed": Made(
        packed_vmdk, [range(80), range(26 * 512, 26 * 512 + 8), range(30 * 512, 30 * 512 + 8)], "little"
    ),
    "vdi": Made(vdi, [range(0x40, 0x50), range(0x150, 0x1C8), range(512, 520)], "little"),
    "vhd": Made(
        lambda: bytearray(vhd() + bytes(2 << 20)),
        [range(88), range(512, 512 + 64), range(1536, 1544)],
        "big",
        footed,
    ),
    "vhdx": Made(
        alone,
        [range(64 * KiB + at, 64 * KiB + end) for at, end in ((8, 16), (48, 80))]
        + [range(192 * KiB + at, 192 * KiB + end) for at, end in ((8, 12), (32, 48), (64, 80))],
        "little",
        resummed,
    ),
    "vhdx, its tables": Made(
        alone,
        [
            range(METADATA + 8, METADATA + 12),
            range(METADATA + 48, METADATA + 60),
            range(METADATA + 64 * KiB, METADATA + 64 * KiB + 40),
            range(TABLE, TABLE + 16),
        ],
        "little",
    ),
}
WORDS = {
    2: (0, 1, 0x7FFF, 0xFFFF),
    4: (0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF),
    8: (0, 1, 511, (1 << 63) - 1, 1 << 63, (1 << 64) - 512, (1 << 64) - 1),
}


def at_their_ends(name: str) -> Iterator[bytes]:
    make, places, order, sealed = IMAGES[name]
    sound = make()
    for width, place in product(WORDS, places):
        for at, value in product(range(place.start, place.stop - width + 1, min(width, 4)), WORDS[width]):
            changed = sound.copy()
            changed[at : at + width] = value.to_bytes(width, order)
            yield sealed(changed, at)


def walk(name: str, data: bytes) -> bool:
    """Whether it is accepted."""
    try:
        found = open_image(name.partition(" ")[0].rstrip(","), reader(data), len(data))
        position = 0
        for extent in found.extents():
            check_extent(extent, position, found.virtual_size, len(data))
            position = extent.guest + extent.length
    except Fault:
        return False
    return True


class Nowhere:
    def put(self, host: int, data: memoryview) -> None: ...

    def get(self, host: int, length: int) -> bytes:
        return bytes(length)


def stream(data: bytes) -> bool:
    placer = Qcow2Placer(Nowhere())
    try:
        for placement in (*placer.feed(memoryview(data)), *placer.finish()):
            assert placer.virtual_size is not None
            assert 0 <= placement.guest < placement.guest + len(placement.data) <= placer.virtual_size
    except Fault:
        return False
    return True


@pytest.mark.parametrize("name", IMAGES)
def test_every_field_at_its_ends(name: str) -> None:
    answers = [walk(name, data) for data in at_their_ends(name)]

    assert any(answers)
    assert not all(answers)


@pytest.mark.parametrize("name", ["qcow2", "qcow2 with subclusters"])
def test_every_field_at_its_ends_in_a_stream(name: str) -> None:
    answers = [stream(data) for data in at_their_ends(name)]

    assert any(answers)
    assert not all(answers)


@pytest.mark.parametrize("name", IMAGES)
def test_every_header_may_be_cut(name: str) -> None:
    make, places, _, sealed = IMAGES[name]
    data = sealed(make(), 0)
    ends = {0, 1, 4, 511, 512, 513, len(data) - 513, len(data) - 512, len(data) - 1}
    ends |= {end for place in places for end in (place.start, place.start + 1, place.stop - 1, place.stop)}
    for end in sorted(ends):
        head = data[:end]
        accepted = walk(name, head)
        assert not accepted or end > 1536
        for look in (recognise, packing, looks_like_a_page, refuse_unread_formats):
            assert look(head[: 192 * KiB]) is not False
        document(head[: 64 * KiB - 1], whole=True)
        disk_in(head[-512:], end)
        fixed_vhd_footer(head[-512:], end)
    assert walk(name, data)
