"""VHDX (Hyper-V) images without a parent and with nothing to be replayed. Spec: MS-VHDX.

A log with a valid entry would have to be replayed before the tables mean anything; such a file is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from uuid import UUID

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB, TiB
from importer.formats import Extent, ReadAt
from importer.formats.block_table import BlockTable
from importer.formats.ledger import Ledger
from importer.formats.runs import merged
from importer.formats.vhdx_log import LOG_MOST, must_be_replayed, sum_is_right
from importer.formats.window import Window

_HEADERS = (64 * KiB, 128 * KiB)
_REGION_TABLES = (192 * KiB, 256 * KiB)
_FLOOR = MiB  # the first MiB holds the headers only
_HEADER = struct.Struct("<16x32x16sHHIQ")  # behind the sequence number: GUIDs, the last of the log; versions; the log
_REGION = struct.Struct("<16sQII")
_ITEM = struct.Struct("<16sIII4x")
_LARGEST = 64 * TiB
_MOST_ENTRIES = 2047
_REQUIRED_ITEM = 4

_BAT = UUID("2dc27766-f623-4200-9d64-115e9bfd4a08")
_METADATA = UUID("8b7ca206-4790-4b9a-b8fe-575f050f886e")
_FILE_PARAMETERS = UUID("caa16737-fa36-4d43-b3b6-33f0aa44e76b")
_DISK_SIZE = UUID("2fa54224-cd1b-4876-b211-5dbed83bf4b8")
_LOGICAL_SECTOR = UUID("8141bf1d-a96f-4709-ba47-f233a8faab5f")
_PHYSICAL_SECTOR = UUID("cda348c7-445d-4471-9cc9-e9885251c556")
_DISK_ID = UUID("beca12ab-b2e6-4523-93ef-c309e000c746")
_PARENT = UUID("a8d35f2d-b30b-454d-abf7-d3d84834ab0c")
_KNOWN_ITEMS = {_FILE_PARAMETERS, _DISK_SIZE, _LOGICAL_SECTOR, _PHYSICAL_SECTOR, _DISK_ID, _PARENT}

_PRESENT, _PARTLY = 6, 7
_ZERO_STATES = {0, 1, 2, 3, 5}  # 5: "unmapped" of version 0.95, which old Hyper-V wrote
_STATE = 7
_MIB_MASK = ~(MiB - 1) & (1 << 64) - 1


class Vhdx:
    format = "vhdx"

    def __init__(self, read_at: ReadAt, size: int) -> None:
        self._file = file = Window("vhdx", read_at, size)
        self._check_headers()
        regions = self._regions()
        items = self._items(*regions[_METADATA])
        self._parse_items(items)
        offset, length = regions[_BAT]
        blocks = -(-self.virtual_size // self.cluster_size)
        entries = blocks + (blocks - 1) // self._chunk  # a bitmap's entry after every chunk
        if entries * 8 > length:
            raise Fault("ImageSizeAbsurd", format="vhdx", virtual=self.virtual_size)
        self._table = BlockTable(file, "the block allocation table", offset, entries, 8, "little", _FLOOR)
        self._table.check()

    def extents(self) -> Iterator[Extent]:
        return merged(self._blocks())

    def _blocks(self) -> Iterator[Extent]:
        ledger, size, stride = Ledger(self._file, self.virtual_size), self.cluster_size, self._chunk + 1
        for first, entries in self._table.pieces():
            for index, entry in enumerate(entries, first):
                chunk, place = divmod(index, stride)
                state = entry & _STATE
                if place == self._chunk or state in _ZERO_STATES:
                    continue
                host = entry & _MIB_MASK
                if state != _PRESENT or host < _FLOOR:
                    raise self._file.invalid(f"a block in state {state} at {host}")
                yield ledger.block((chunk * self._chunk + place) * size, size, host)

    def _check_headers(self) -> None:
        """The valid header with the higher sequence number counts; nothing of its log may wait to be replayed."""
        copies = (self._file.table("the header", offset, 4 * KiB) for offset in _HEADERS)
        valid = [data for data in copies if data.startswith(b"head") and sum_is_right(data)]
        if not valid:
            raise self._file.invalid("no valid header")
        newest = max(valid, key=_sequence_number)
        log_id, log_version, version, log_length, log_offset = _HEADER.unpack_from(newest)
        if version != 1:
            raise self._file.unsupported(f"version {version}")
        if log_version != 0:
            raise self._file.unsupported(f"a log of version {log_version}")
        if any(log_id):
            self._check_log(log_id, log_offset, log_length)

    def _check_log(self, log_id: bytes, offset: int, length: int) -> None:
        if length > LOG_MOST:
            raise self._file.unsupported(f"a log of {length:,} bytes, at most {LOG_MOST:,} are read")
        if must_be_replayed(self._file.table("the log", offset, length, _FLOOR), log_id):
            raise self._file.unsupported("a log that must be replayed")

    def _regions(self) -> dict[UUID, tuple[int, int]]:
        """(offset, length) of the two known regions, from the first valid copy of the region table."""
        for table_offset in _REGION_TABLES:
            data = self._file.table("the region table", table_offset, 64 * KiB)
            if data.startswith(b"regi") and sum_is_right(data):
                return self._parse_regions(data)
        raise self._file.invalid("no valid region table")

    def _parse_regions(self, data: bytes) -> dict[UUID, tuple[int, int]]:
        count = int.from_bytes(data[8:12], "little")
        if count > _MOST_ENTRIES:
            raise self._file.invalid(f"{count} regions")
        found = {}
        for start in range(16, 16 + count * _REGION.size, _REGION.size):
            raw_id, offset, length, required = _REGION.unpack_from(data, start)
            region = UUID(bytes_le=raw_id)
            if region in found:
                raise self._file.invalid("a region is there twice")
            if region in (_BAT, _METADATA):
                self._file.check_table("a region", offset, length, _FLOOR)
                found[region] = offset, length
            elif required & 1:
                raise self._file.unsupported(f"the unknown region {region}")
        if len(found) != 2:
            raise self._file.invalid("a region is missing")
        return found

    def _items(self, offset: int, length: int) -> dict[UUID, bytes]:
        table = self._file.table("the metadata table", offset, 64 * KiB, _FLOOR)
        count = int.from_bytes(table[10:12], "little")
        if not table.startswith(b"metadata") or count > _MOST_ENTRIES:
            raise self._file.invalid("the metadata table is damaged")
        found = {}
        for start in range(32, 32 + count * _ITEM.size, _ITEM.size):
            raw_id, at, size, flags = _ITEM.unpack_from(table, start)
            item = UUID(bytes_le=raw_id)
            if item not in _KNOWN_ITEMS:
                if flags & _REQUIRED_ITEM:
                    raise self._file.unsupported(f"the unknown metadata {item}")
                continue
            if item in found:
                raise self._file.invalid("a metadata item is there twice")
            if at + size > length:
                raise Fault("ImageTableOutside", format="vhdx", table="a metadata item", offset=offset + at)
            found[item] = self._file.table("a metadata item", offset + at, min(size, 64), _FLOOR)
        return found

    def _parse_items(self, items: dict[UUID, bytes]) -> None:
        try:
            self.cluster_size, flags = struct.unpack_from("<II", items[_FILE_PARAMETERS])
            (self.virtual_size,) = struct.unpack_from("<Q", items[_DISK_SIZE])
            (sector,) = struct.unpack_from("<I", items[_LOGICAL_SECTOR])
        except (KeyError, struct.error) as error:
            raise self._file.invalid("a metadata item is missing") from error
        if flags & 2 or _PARENT in items:
            raise Fault("ImageHasBackingFile", format="vhdx", reference="a parent disk")
        if sector not in (512, 4096):
            raise self._file.invalid(f"sectors of {sector} bytes")
        size = self.cluster_size
        if size & size - 1 or not MiB <= size <= 256 * MiB:
            raise self._file.invalid(f"blocks of {size} bytes")
        if not 0 < self.virtual_size <= _LARGEST or self.virtual_size % sector:
            raise Fault("ImageSizeAbsurd", format="vhdx", virtual=self.virtual_size)
        self._chunk = (sector << 23) // size  # payload blocks per bitmap block


def _sequence_number(header: bytes) -> int:
    return int.from_bytes(header[8:16], "little")
