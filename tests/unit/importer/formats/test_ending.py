from __future__ import annotations

import struct

import pytest
from support.hostile import vhd

from cdi.base.faults import Fault
from importer.formats.ending import disk_in


def dmg(data: int, plist: tuple[int, int], signature: tuple[int, int] = (0, 0)) -> bytes:
    trailer = bytearray(b"koly\0\0\0\x04\0\0\x02\0".ljust(512, b"\0"))
    struct.pack_into(">QQ", trailer, 24, 0, data)
    struct.pack_into(">QQ", trailer, 216, *plist)
    struct.pack_into(">QQ", trailer, 296, *signature)
    return bytes(trailer)


@pytest.mark.parametrize("last", [bytes(512), b"koly".ljust(512, b"\0"), b"conectix".ljust(512, b"\0"), b""])
def test_what_ends_like_nothing_else_is_all_disk(last: bytes) -> None:
    assert disk_in(last, 8192 + 512) == 8192 + 512


def test_a_fixed_vhd_s_footer_is_no_part_of_the_disk() -> None:
    assert disk_in(vhd(kind=2, size=8192)[:512], 8192 + 512) == 8192


@pytest.mark.parametrize("last", [dmg(8000, (8000, 192)), dmg(8000, (8000, 100), (8100, 92))])
def test_a_dmg_is_refused_by_its_trailer(last: bytes) -> None:
    with pytest.raises(Fault) as caught:
        disk_in(last, 8192 + 512)
    assert caught.value.code == "ImageUnsupported"


@pytest.mark.parametrize("last", [dmg(8000, (8000, 100)), dmg(8000, (8192, 512)), dmg(0, (0, 0))])
def test_a_trailer_that_says_another_size_is_the_end_of_a_disk_that_holds_a_dmg(last: bytes) -> None:
    assert disk_in(last, 8192 + 512) == 8192 + 512
