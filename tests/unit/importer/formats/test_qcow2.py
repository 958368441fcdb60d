from __future__ import annotations

import random
import struct
import time
from array import array

import pytest
from support.hostile import CLUSTER, COPIED, qcow2
from support.images import reader

from cdi.base.faults import Fault
from importer.formats import Extent
from importer.formats.qcow2 import Qcow2
from importer.formats.qcow2_header import parse_header
from importer.formats.qcow2_tables import L2Decoder

KiB = 1024
MiB = 1024 * KiB
TiB = 1 << 40


def extents(data: bytes) -> list[Extent]:
    return list(Qcow2(reader(data), len(data)).extents())


def test_neighbouring_clusters_are_one_extent() -> None:
    image = qcow2() + bytes(2 * CLUSTER)
    struct.pack_into(">3Q", image, 4 * CLUSTER, 5 * CLUSTER | COPIED, 6 * CLUSTER | COPIED, 7 * CLUSTER)

    assert extents(bytes(image)) == [Extent(0, 3 * CLUSTER, 5 * CLUSTER, 3 * CLUSTER)]


def test_a_last_cluster_that_is_partly_in_the_file_reads_as_zeros_behind_it() -> None:
    """qemu calls it semi-allocated and accepts it; tests/component compares with what qemu-img makes of it."""
    assert extents(bytes(qcow2()[: 5 * CLUSTER + 1000])) == [Extent(0, 1000, 5 * CLUSTER, 1000)]


def test_the_unknown_feature_is_named_as_the_image_names_it_but_printable() -> None:
    image = qcow2(incompatible=1 << 6)
    struct.pack_into(">II2s46s", image, 112, 0x6803F857, 48, b"\0\6", b"evil\x1b[31m\nname")

    with pytest.raises(Fault) as caught:
        parse_header(bytes(image[:65536]))

    assert caught.value.message.startswith(
        "[ImageUnsupported] the qcow2 image uses the unknown incompatible feature 'evil?[31m?name' (bit 6)."
    )


def test_a_giant_l1_table_begins_with_the_contract_phrase() -> None:
    with pytest.raises(Fault) as caught:
        parse_header(bytes(qcow2(l1_size=0x7FFFFFFF)[:65536]))

    assert caught.value.message.startswith("L1 size too big [ImageTableTooBig] the L1 table of the qcow2 image:")


def test_a_backing_reference_is_cut_to_100_characters() -> None:
    image = qcow2(backing_offset=512, backing_size=1000)
    image[512:1512] = b"/" * 1000

    with pytest.raises(Fault) as caught:
        parse_header(bytes(image[:65536]))

    assert caught.value.values["reference"] == "/" * 100


@pytest.mark.parametrize("shape", ["in order", "scattered", "empty"])
def test_a_table_of_64_kib_takes_a_few_milliseconds(shape: str) -> None:
    header = parse_header(bytes(qcow2(size=512 * MiB)[:65536]))
    places = list(range(5, 5 + 8192))
    if shape == "scattered":
        random.Random(1).shuffle(places)
    entries = array("Q", (0 if shape == "empty" else place * CLUSTER | COPIED for place in places))
    entries.byteswap()
    table = entries.tobytes()
    limit_s = {"in order": 0.05, "scattered": 0.5, "empty": 0.01}[shape]  # ten times what it takes

    times = []
    for _ in range(9):
        start = time.process_time()
        found = list(L2Decoder(header, 1 << 40).decode(table, 0))
        times.append(time.process_time() - start)

    assert sum(extent.length for extent in found) == (0 if shape == "empty" else 512 * MiB)
    assert min(times) < limit_s


def test_a_map_of_one_tib_is_read_in_few_requests_and_little_memory() -> None:
    """Tables that are neighbours come in one read of at most 4 MiB; the reader below counts and keeps nothing."""
    tables = TiB // (512 * MiB)
    image = qcow2(size=TiB, l1_size=tables)
    struct.pack_into(f">{tables}Q", image, 3 * CLUSTER, *((4 + n) * CLUSTER | COPIED for n in range(tables)))
    reads: list[tuple[int, int]] = []

    def read_at(offset: int, length: int) -> bytes:
        reads.append((offset, length))
        return bytes(image[offset : offset + length]) if offset < 4 * CLUSTER else bytes(length)

    disk = Qcow2(read_at, (4 + tables) * CLUSTER)

    assert list(disk.extents()) == []
    assert len(reads) == 2 + tables * CLUSTER // (4 * MiB)
    assert max(length for _, length in reads) <= 4 * MiB
    assert list(disk.table_reads()) == reads[2:]
