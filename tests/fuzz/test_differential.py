"""Images of every format, drawn at random, give the disk that qemu-img reads in them.

60 s in all by default, over its cases; FUZZ_SECONDS goes on for longer, each. A failure names its seed and the
commands that made the image; FUZZ_SEED=n makes that one again.
"""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from support.drawn import Drawn, SparseDisk, draw_image, may_be_told
from support.fuzzing import seeded
from support.images import OUR_NAMES, check_extent, reader

from cdi.base.faults import Fault
from importer.formats import Kind
from importer.formats.clusters import inflate_cluster
from importer.formats.qcow2_stream import Qcow2Placer
from importer.formats.registry import open_image
from importer.formats.vhd import fixed_vhd_footer

SECONDS = 10.0


class MemoryPark:
    """Bytes by their place in the file."""

    def __init__(self) -> None:
        self._bytes: dict[int, bytes] = {}

    def put(self, host: int, data: memoryview) -> None:
        self._bytes[host] = bytes(data)

    def get(self, host: int, length: int) -> bytes:
        found = bytearray(length)
        known = 0
        for start, data in self._bytes.items():
            low, high = max(host, start), min(host + length, start + len(data))
            if low < high:
                found[low - host : high - host] = data[low - start : high - start]
                known += high - low
        assert known == length
        return bytes(found)


def by_tables(image: Drawn, data: bytes) -> SparseDisk:
    ours = OUR_NAMES.get(image.format, image.format)
    if ours == "vhd" and not data.startswith(b"conectix"):
        assert fixed_vhd_footer(data[-512:], len(data)) == len(data) - 512
    found = open_image(ours, reader(data), len(data))
    disk, position = SparseDisk(found.virtual_size), 0
    for extent in found.extents():
        check_extent(extent, position, found.virtual_size, len(data))
        position = extent.guest + extent.length
        plain = data[extent.host : extent.host + extent.host_length]
        disk.write(
            extent.guest, plain if extent.kind is Kind.DATA else inflate_cluster(extent.kind, plain, extent.length)
        )
    return disk


def as_a_stream(data: bytes, chance: random.Random) -> SparseDisk:
    placer = Qcow2Placer(MemoryPark(), chance.choice((None, len(data))))
    placed: list[tuple[int, bytes]] = []
    most, position = chance.choice((700, 65536, 1 << 20, 1 << 26)), 0
    while position < len(data):
        step = chance.randrange(1, most + 1)
        part = placer.feed(memoryview(data)[position : position + step])
        placed += [(placement.guest, bytes(placement.data)) for placement in part]
        position += step
    placed += [(placement.guest, bytes(placement.data)) for placement in placer.finish()]
    assert placer.virtual_size is not None
    disk = SparseDisk(placer.virtual_size)
    for guest, plain in placed:
        disk.write(guest, plain)
    return disk


@pytest.mark.parametrize("format", ["qcow2", "qcow2 in a stream", "vmdk", "vdi", "vhdx", "vpc"])
def test_a_drawn_image_is_the_disk_that_qemu_img_reads(format: str, tmp_path: Path) -> None:
    tried = accepted = 0
    for seed, chance in seeded(SECONDS, 500):
        image = draw_image(chance, tmp_path, format.split(maxsplit=1)[0])
        data, expected = image.path.read_bytes(), image.disk()
        tried += 1
        what = f"FUZZ_SEED={seed}\n" + "\n".join(image.said)
        try:
            disk = as_a_stream(data, chance) if "stream" in format else by_tables(image, data)
        except BaseException as error:
            if isinstance(error, Fault) and (expected is None or may_be_told(image, error.code)):
                continue
            error.add_note(what)
            raise
        if expected is not None:
            assert disk.size == expected.size, what
            assert disk == expected, what
            accepted += 1
    print(f"{tried} images drawn, {accepted} compared whole")
    assert accepted > 0 or tried < 10
