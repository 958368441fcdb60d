"""What the last sector of a file that looks raw says: that it is no part of the disk, or that there is none. Pure."""

from __future__ import annotations

import struct

from cdi.base.faults import Fault
from importer.formats.vhd import fixed_vhd_footer

SECTOR = 512
_DMG = b"koly\0\0\0\x04\0\0\x02\0"  # signature, version 4, 512 bytes long
_DMG_PARTS = (24, 40, 216, 296)  # data fork, resource fork, property list, signature: offset and length each


def disk_in(last: bytes, size: int) -> int:
    """Bytes of disk in a raw-looking file of ``size`` bytes with the ``last`` 512: all, or all but those.

    Raises ImageUnsupported for a DMG, which is compressed parts with a trailer.
    """
    if _is_dmg(last, size):
        raise Fault("ImageUnsupported", format="dmg", feature="compressed parts, as disk images of macOS do")
    fixed = fixed_vhd_footer(last, size)
    return size if fixed is None else fixed


def _is_dmg(last: bytes, size: int) -> bool:
    """The trailer of a file that ends where the last of its parts does; not one that a disk happens to end in."""
    if len(last) != SECTOR or not last.startswith(_DMG):
        return False
    end = 0
    for at in _DMG_PARTS:
        offset, length = struct.unpack_from(">QQ", last, at)
        end = max(end, offset + length)
    return end == size - SECTOR
