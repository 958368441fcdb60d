"""The log of a VHDX: whether it says anything. Pure. Spec: MS-VHDX, 2.3.

It is a ring of entries, each of whole sectors of 4 KiB. One that bears the header's GUID and whose checksum is right
was written whole, and its tables may not have been: the image means nothing until it is replayed. One that was torn by
a power cut counts for nothing, as in qemu: what it would have changed was not begun.
"""

from __future__ import annotations

import struct

from cdi.base.units import KiB, MiB
from importer.formats.crc32c import crc32c

LOG_MOST = 16 * MiB  # writers make 1 MiB
_SECTOR = 4 * KiB
_ENTRY = struct.Struct("<4sIIIQII16s")  # signature, checksum, length, tail, sequence number, descriptors, -, GUID


def must_be_replayed(log: bytes, log_id: bytes) -> bool:
    """Whether some entry of ``log`` is valid. Entries of a ring do not overlap, so torn ones are no longer than two
    rounds of it: of a log that claims more, the rest is believed without its checksums."""
    left = 2 * len(log)
    for start in range(0, len(log) - _SECTOR + 1, _SECTOR):
        length = _length(log, start, log_id)
        left -= length
        if length and (left < 0 or _is_whole(log, start, length)):
            return True
    return False


def sum_is_right(data: bytes) -> bool:
    """Of a structure with its CRC-32C in bytes 4 to 8, which is made with zeros there."""
    return crc32c(data[:4] + bytes(4) + data[8:]) == int.from_bytes(data[4:8], "little")


def _length(log: bytes, start: int, log_id: bytes) -> int:
    """Bytes of the entry that begins at ``start``; 0 when none of this log does."""
    signature, _, length, _, sequence, _, _, found = _ENTRY.unpack_from(log, start)
    is_one = signature == b"loge" and found == log_id and sequence > 0
    return length if is_one and length % _SECTOR == 0 and length <= len(log) else 0


def _is_whole(log: bytes, start: int, length: int) -> bool:
    end = start + length
    return sum_is_right(log[start:end] + log[: max(0, end - len(log))])
