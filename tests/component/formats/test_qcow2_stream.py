"""qcow2 images of all kinds, fed in order, end up where qemu-img would put them."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.images import CORPUS, RECIPES, Recipe, build, oracle

from cdi.base.faults import Fault
from importer.formats.qcow2_stream import Placement, Qcow2Placer, plan_from_head

STREAMED = [recipe for recipe in CORPUS if recipe.format == "qcow2"]
# A moved L1 table; a snapshot's clusters, which no known table maps; tables that stand before the L1 table.
PARKING = {"qcow2-grown", "qcow2-snapshots", "qcow2-preallocated-full"}


class MemoryPark:
    def __init__(self) -> None:
        self.pieces: dict[int, bytes] = {}

    def put(self, host: int, data: memoryview) -> None:
        self.pieces[host] = bytes(data)

    def get(self, host: int, length: int) -> bytes:
        found = bytearray(length)
        seen = 0
        for start, data in self.pieces.items():
            low, high = max(host, start), min(host + length, start + len(data))
            if low < high:
                found[low - host : high - host] = data[low - start : high - start]
                seen += high - low
        assert seen == length
        return bytes(found)


def place(data: bytes, piece: int | random.Random, size: int | None = None) -> tuple[bytearray, Qcow2Placer]:
    placer = Qcow2Placer(MemoryPark(), size)
    disk: dict[int, bytes] = {}

    def write(placement: Placement) -> None:
        assert placement.data
        disk[placement.guest] = bytes(placement.data)

    position = 0
    while position < len(data):
        step = piece if isinstance(piece, int) else piece.randint(1, 200_000)
        for placement in placer.feed(memoryview(data)[position : position + step]):
            write(placement)
        position += step
    for placement in placer.finish():
        write(placement)
    assert placer.virtual_size is not None
    whole = bytearray(placer.virtual_size)
    for guest, plain in disk.items():
        whole[guest : guest + len(plain)] = plain
    return whole, placer


@pytest.mark.parametrize("recipe", STREAMED, ids=lambda recipe: recipe.name)
def test_a_streamed_image_makes_the_disk_that_qemu_img_makes(recipe: Recipe, tmp_path: Path) -> None:
    path = build(recipe, tmp_path)
    data = path.read_bytes()

    at_once, placer = place(data, 1 << 20, len(data))
    in_odd_pieces, _ = place(data, random.Random(5))

    expected = oracle(recipe, path)
    assert at_once == expected
    assert in_odd_pieces == expected
    assert placer.position == len(data)
    assert plan_from_head(data[:65536]).header.virtual_size == len(expected)


@pytest.mark.parametrize("recipe", STREAMED, ids=lambda recipe: recipe.name)
def test_only_a_moved_table_or_a_snapshot_makes_it_park(recipe: Recipe, tmp_path: Path) -> None:
    data = build(recipe, tmp_path).read_bytes()

    _, placer = place(data, 1 << 20)

    if recipe.name in PARKING:
        assert placer.parked > 0
    elif "-c" in recipe.name or "zlib" in recipe.name or "zstd" in recipe.name:
        assert placer.parked < len(data) // 20  # slack behind compressed clusters
    else:
        assert placer.parked == 0


@pytest.mark.parametrize("name", ["qcow2-plain", "qcow2-zlib", "qcow2-zlib-512", "qcow2-grown", "qcow2-extended-l2"])
def test_a_stream_that_ends_early_is_truncated(name: str, tmp_path: Path) -> None:
    data = build(RECIPES[name], tmp_path).read_bytes()

    for share in (3, 50, 90):
        with pytest.raises(Fault) as caught:
            place(data[: len(data) * share // 100], 65536)
        assert caught.value.code == "ImageTruncated", share
