"""VHDX images made byte by byte, for what no tool writes."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from uuid import UUID

from importer.formats.crc32c import crc32c

KiB, MiB = 1024, 1024 * 1024
LOG, METADATA, TABLE, BLOCK = MiB, 2 * MiB, 3 * MiB, 4 * MiB  # each of one MiB
LOG_ID = bytes(range(1, 17))
SECTOR = 4 * KiB

TABLE_REGION = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08").bytes_le
METADATA_REGION = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e").bytes_le
REGIONS = ((TABLE_REGION, TABLE, MiB, 1), (METADATA_REGION, METADATA, MiB, 1))


def items(disk: int, sector: int = 512, block: int = MiB) -> list[tuple[bytes, bytes]]:
    """The metadata that every image has."""
    return [
        (UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b").bytes_le, struct.pack("<II", block, 0)),
        (UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8").bytes_le, struct.pack("<Q", disk)),
        (UUID("beca12ab-b2e6-4523-93ef-c309e000c746").bytes_le, bytes(16)),
        (UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f").bytes_le, struct.pack("<I", sector)),
        (UUID("cda348c7-445d-4471-9cc9-e9885251c556").bytes_le, struct.pack("<I", 4096)),
    ]


def summed(data: bytes, length: int) -> bytes:
    """``data``, filled up to ``length``, with its CRC-32C in bytes 4 to 8."""
    whole = data.ljust(length, b"\0")
    return whole[:4] + struct.pack("<I", crc32c(whole[:4] + bytes(4) + whole[8:])) + whole[8:]


def regions(entries: Sequence[tuple[bytes, int, int, int]]) -> bytes:
    """The region table of (GUID, offset, length, required)."""
    head = struct.pack("<4sIII", b"regi", 0, len(entries), 0)
    return summed(head + b"".join(struct.pack("<16sQII", *entry) for entry in entries), 64 * KiB)


def metadata(found: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The metadata table of (GUID, content), and the contents 64 KiB behind its beginning."""
    table, contents = struct.pack("<8sHH20x", b"metadata", 0, len(found)), b""
    for name, content in found:
        table += struct.pack("<16sIII4x", name, 64 * KiB + len(contents), len(content), 4)
        contents += content
    return table.ljust(64 * KiB, b"\0") + contents


def entry(blocks: bytes = b"", *, name: bytes = LOG_ID, sequence: int = 1, length: int = 0) -> bytes:
    """A log entry without descriptors, of its header's sector and ``blocks``."""
    size = SECTOR + len(blocks)
    head = struct.pack("<4sIIIQII16sQQ", b"loge", 0, length or size, 0, sequence, 0, 0, name, 5 * MiB, 5 * MiB)
    return summed(head.ljust(SECTOR, b"\0") + blocks, size)


def image(parts: Mapping[int, bytes], *, log_id: bytes = bytes(16), log: tuple[int, int] = (LOG, MiB)) -> bytearray:
    """A disk of 1 MiB with one block. ``parts``: what stands elsewhere in the file. ``log``: offset and length."""
    found = bytearray(5 * MiB)
    head = struct.pack("<4sIQ16s16s16sHHIQ", b"head", 0, 7, bytes(16), bytes(16), log_id, 0, 1, log[1], log[0])
    usual = {
        0: b"vhdxfile",
        64 * KiB: summed(head, SECTOR),
        128 * KiB: summed(head[:8] + struct.pack("<Q", 6) + head[16:], SECTOR),
        192 * KiB: regions(REGIONS),
        256 * KiB: regions(REGIONS),
        METADATA: metadata(items(MiB)),
        TABLE: struct.pack("<Q", BLOCK | 6),
        BLOCK: b"block..." * (MiB // 8),
    }
    for offset, part in {**usual, **parts}.items():
        found[offset : offset + len(part)] = part
    return found
