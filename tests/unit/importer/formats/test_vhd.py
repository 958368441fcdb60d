from __future__ import annotations

import pytest
from support.hostile import vhd
from support.images import reader

from cdi.base.faults import Fault
from importer.formats.registry import open_image
from importer.formats.vhd import fixed_vhd_footer


def footer(size: int) -> bytes:
    return vhd(kind=2, size=size)[:512]


def test_a_fixed_vhd_is_the_file_without_its_footer() -> None:
    assert fixed_vhd_footer(footer(8192), 8192 + 512) == 8192


def test_a_raw_disk_that_only_mentions_the_cookie_is_raw() -> None:
    assert fixed_vhd_footer(b"conectix".ljust(512, b"\0"), 8192 + 512) is None
    assert fixed_vhd_footer(bytes(512), 8192 + 512) is None
    assert fixed_vhd_footer(b"", 0) is None


@pytest.mark.parametrize("said", [0, 512, 8192 - 512, 8192 + 512, 1 << 40, (1 << 64) - 1])
def test_a_footer_that_says_another_size_is_the_end_of_a_raw_disk(said: int) -> None:
    assert fixed_vhd_footer(footer(said), 8192 + 512) is None


def test_a_footer_alone_is_no_disk() -> None:
    assert fixed_vhd_footer(footer(0), 512) is None


def test_a_table_has_no_more_entries_than_qemu_reads() -> None:
    for count, code in (((1 << 29) - 1, "ImageTableOutside"), (1 << 29, "ImageTableTooBig")):
        data = vhd(size=count * 512, entries=count, block=512)
        with pytest.raises(Fault) as caught:
            open_image("vhd", reader(data), len(data))
        assert caught.value.code == code


def test_a_fixed_vhd_opens_by_its_footer() -> None:
    data = bytes(8192) + footer(8192)

    image = open_image("vhd", reader(data), len(data))

    assert [extent.length for extent in image.extents()] == [8192]
