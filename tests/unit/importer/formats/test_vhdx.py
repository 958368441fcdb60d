from __future__ import annotations

import struct

import pytest
from support.images import reader
from support.vhdx import (
    BLOCK,
    METADATA,
    METADATA_REGION,
    REGIONS,
    TABLE,
    TABLE_REGION,
    KiB,
    MiB,
    image,
    items,
    metadata,
    regions,
    summed,
)

from cdi.base.faults import Fault
from importer.formats.registry import open_image

UNKNOWN = bytes(range(16))
OF_ONE_ENTRY = (TABLE_REGION, TABLE, 8, 1)


def lengths(data: bytes) -> list[int]:
    found = open_image("vhdx", reader(data), len(data))
    return [extent.length for extent in found.extents()]


def refusal(data: bytes) -> str:
    with pytest.raises(Fault) as caught:
        lengths(data)
    return caught.value.code


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ((), "ImageInvalid"),
        (REGIONS[:1], "ImageInvalid"),
        (REGIONS[1:], "ImageInvalid"),
        ((*REGIONS, REGIONS[0]), "ImageInvalid"),
        (((UNKNOWN, 0, 0, 1), *REGIONS), "ImageUnsupported"),
        ((REGIONS[0], (METADATA_REGION, 5 * MiB, MiB, 1)), "ImageTableOutside"),
        ((REGIONS[0], (METADATA_REGION, 0, MiB, 1)), "ImageTableOutside"),
        ((REGIONS[0], (METADATA_REGION, (1 << 64) - 1, (1 << 32) - 1, 1)), "ImageTableOutside"),
        ((REGIONS[0], (METADATA_REGION, METADATA, 0, 1)), "ImageTableOutside"),
        ((REGIONS[1], (TABLE_REGION, TABLE, 0, 1)), "ImageSizeAbsurd"),
        ((REGIONS[1], (TABLE_REGION, TABLE, 7, 1)), "ImageSizeAbsurd"),
    ],
)
def test_a_region_that_is_missing_twice_or_elsewhere(found: tuple[tuple[bytes, int, int, int], ...], code: str) -> None:
    assert refusal(image({192 * KiB: regions(found)})) == code


def test_regions_up_to_the_last_one_that_a_table_holds() -> None:
    table = regions([*[(UNKNOWN, 0, 0, 0)] * 2045, REGIONS[1], OF_ONE_ENTRY])
    one_more = summed(table[:8] + struct.pack("<I", 2048) + table[12:], 64 * KiB)

    assert lengths(image({192 * KiB: table})) == [MiB]
    assert refusal(image({192 * KiB: one_more})) == "ImageInvalid"


def test_the_second_copy_of_the_region_table_counts_when_the_first_is_damaged() -> None:
    assert lengths(image({192 * KiB: b"regi"})) == [MiB]
    assert refusal(image({192 * KiB: b"regi", 256 * KiB: b"regi"})) == "ImageInvalid"


@pytest.mark.parametrize(
    ("found", "code"),
    [
        ([], "ImageInvalid"),
        (items(MiB)[:1], "ImageInvalid"),
        ([*items(MiB), items(MiB)[1]], "ImageInvalid"),
        ([*items(MiB)[1:], (items(MiB)[0][0], b"")], "ImageInvalid"),
        ([(UNKNOWN, b"?"), *items(MiB)], "ImageUnsupported"),
        (items(0), "ImageSizeAbsurd"),
        (items(MiB + 1), "ImageSizeAbsurd"),
        (items((1 << 64) - 512), "ImageSizeAbsurd"),
        (items(MiB, sector=0), "ImageInvalid"),
        (items(MiB, block=0), "ImageInvalid"),
        (items(MiB, block=3 * MiB), "ImageInvalid"),
        (items(MiB, block=512 * MiB), "ImageInvalid"),
    ],
)
def test_metadata_that_is_missing_twice_or_absurd(found: list[tuple[bytes, bytes]], code: str) -> None:
    assert refusal(image({METADATA: metadata(found)})) == code


def test_metadata_up_to_the_last_item_that_a_table_holds() -> None:
    table = bytearray(metadata(items(MiB)))
    known = bytes(table[32 : 32 + 5 * 32])
    table[10:12], table[32 : 64 * KiB] = struct.pack("<H", 2047), known.rjust(64 * KiB - 32, b"\0")

    assert lengths(image({METADATA: bytes(table)})) == [MiB]
    table[10:12] = struct.pack("<H", 2048)
    assert refusal(image({METADATA: bytes(table)})) == "ImageInvalid"


def test_a_metadata_item_ends_where_its_region_does() -> None:
    content = metadata(items(MiB))

    def within(length: int) -> bytes:
        return image({192 * KiB: regions((REGIONS[0], (METADATA_REGION, METADATA, length, 1)))})

    assert lengths(within(len(content))) == [MiB]
    assert refusal(within(len(content) - 1)) == "ImageTableOutside"


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        (0, []),
        (5, []),
        (BLOCK | 6, [MiB]),
        (BLOCK | 7, "ImageInvalid"),
        (BLOCK | 4, "ImageInvalid"),
        (6, "ImageInvalid"),
        (BLOCK + MiB | 6, "ImageTruncated"),
        (((1 << 64) - MiB) | 6, "ImageTruncated"),
    ],
)
def test_a_block_in_each_state_and_at_each_end(entry: int, expected: list[int] | str) -> None:
    data = image({TABLE: struct.pack("<Q", entry)})

    assert (refusal(data) if isinstance(expected, str) else lengths(data)) == expected


def test_the_last_block_ends_with_the_disk_and_not_behind_the_file() -> None:
    data = image({METADATA: metadata(items(512))})

    assert lengths(data[: BLOCK + 512]) == [512]
    assert refusal(data[: BLOCK + 511]) == "ImageTruncated"
