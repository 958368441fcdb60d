"""Damaged real images: a parser answers with a Fault or a map that keeps its promises, and never with anything else.

About 10 s by default; FUZZ_SECONDS=600 goes on for longer. A failure names its seed: FUZZ_SEED repeats it.
"""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator

import pytest
from support.images import RECIPES, MiB, build, check_extent, reader

from cdi.base.faults import Fault
from importer.formats import Kind
from importer.formats.clusters import inflate_cluster
from importer.formats.foreign import document, packing
from importer.formats.magic import looks_like_a_page, recognise
from importer.formats.qcow2_stream import Qcow2Placer
from importer.formats.registry import open_image

SECONDS = float(os.environ.get("FUZZ_SECONDS", "10"))
SEED = int(os.environ.get("FUZZ_SEED", "0")) or random.SystemRandom().randrange(1 << 32)
SLOWEST_S = 5.0
_NAMES = (
    "qcow2-plain", "qcow2-zlib", "qcow2-zstd", "qcow2-extended-l2", "qcow2-snapshots", "qcow2-cluster-512",
    "qcow2-grown", "vmdk-sparse", "vmdk-stream", "vdi-dynamic", "vhd-dynamic", "vhdx-dynamic",
)  # fmt: skip
_VALUES = (0, 1, 0x7F, 0x80, 0xFF)


class NoPark:
    """Forgets: what was parked reads as 0xEE, which must not matter for never failing oddly."""

    def put(self, host: int, data: memoryview) -> None:
        assert len(data) > 0

    def get(self, host: int, length: int) -> bytes:
        return b"\xee" * length


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("images")
    return {name: build(RECIPES[name], folder).read_bytes() for name in _NAMES}


def interesting(data: bytes) -> list[int]:
    """Where headers and tables are: the non-zero sectors of the first MiB, and the last sectors (VMDK footer)."""
    places = [at for at in range(0, min(len(data), 4 * MiB), 512) if any(data[at : at + 512])]
    return places[:400] + list(range(max(0, len(data) - 1536), len(data), 512))


def mutate(chance: random.Random, data: bytes, places: list[int]) -> bytes:
    damaged = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at = min(chance.choice(places[: chance.choice((2, 12, len(places)))]) + chance.randrange(512), len(data) - 8)
        match chance.randrange(4):
            case 0:
                damaged[at] = chance.choice(_VALUES)
            case 1:
                damaged[at] ^= 1 << chance.randrange(8)
            case 2:
                at = at // 8 * 8
                damaged[at : at + 8] = chance.choice((bytes(8), b"\xff" * 8, chance.randbytes(8)))
            case _:
                source = chance.choice(places)
                damaged[at : at + 64] = damaged[source : source + 64]
    if chance.random() < 0.1:
        del damaged[chance.randrange(len(damaged)) :]
    return bytes(damaged)


def walk(data: bytes) -> None:
    """Read the whole map and unpack what is packed, as an import does."""
    image = open_image(recognise(data[:65536]), reader(data), len(data))
    assert image.virtual_size >= 0
    assert image.cluster_size > 0
    position = 0
    for number, extent in enumerate(image.extents()):
        check_extent(extent, position, image.virtual_size, len(data))
        position = extent.guest + extent.length
        if extent.kind is not Kind.DATA and number < 50:
            packed = data[extent.host : extent.host + extent.host_length]
            assert len(inflate_cluster(extent.kind, packed, extent.length)) == extent.length


def stream(data: bytes) -> None:
    placer = Qcow2Placer(NoPark())
    for at in range(0, len(data), 300_000):
        for placement in placer.feed(memoryview(data)[at : at + 300_000]):
            assert placer.virtual_size is not None
            assert 0 <= placement.guest < placer.virtual_size
            assert 0 < len(placement.data) <= placer.virtual_size - placement.guest
    for placement in placer.finish():
        assert len(placement.data) > 0


def rounds() -> Iterator[random.Random]:
    end = time.monotonic() + SECONDS
    number = 0
    while time.monotonic() < end:
        yield random.Random(SEED + number)
        number += 1


@pytest.mark.slow
@pytest.mark.timeout(SECONDS + 120)
def test_damaged_images_give_a_fault_or_a_sound_map(images: dict[str, bytes]) -> None:
    places = {name: interesting(data) for name, data in images.items()}
    answers = {"fault": 0, "map": 0, "unprintable": 0}
    for chance in rounds():
        name = chance.choice(_NAMES)
        data = mutate(chance, images[name], places[name])
        reading = [walk, stream] if name.startswith("qcow2") else [walk]
        for read in reading:
            start = time.monotonic()
            try:
                read(data)
                answers["map"] += 1
            except Fault as fault:
                answers["fault"] += 1
                answers["unprintable"] += not fault.message.isprintable()
            assert time.monotonic() - start < SLOWEST_S, (name, SEED)
        looks_like_a_page(data[:65536])
        packing(data[:65536])
        document(data[:65536], whole=True)
    assert not answers["unprintable"], SEED
    assert answers["fault"] > 10, (answers, SEED)
    assert answers["map"] > 10, (answers, SEED)


def test_noise_behind_a_magic_gives_a_fault() -> None:
    chance = random.Random(SEED)
    heads = (b"QFI\xfb\0\0\0\3", b"QFI\xfb\0\0\0\2", b"KDMV\1\0\0\0", b"conectix", b"vhdxfile")
    for head in heads * 40:
        data = head + chance.randbytes(chance.randrange(8192))
        with pytest.raises(Fault):
            walk(data)
