"""The largest and worst input that each parser of foreign tables and texts can get, and what it costs to refuse it.

    python -c "from support.largest import measure; measure('name')"

prints [fault code or "", CPU seconds, MiB of memory above the start].
"""

from __future__ import annotations

import gzip
import json
import lzma
import os
import random
import resource
import struct
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path

from support.hostile import qcow2, vdi, vhd, vmdk
from support.images import reader
from support.vhdx import (
    LOG_ID,
    METADATA,
    METADATA_REGION,
    SECTOR,
    TABLE_REGION,
    entry,
    image,
    items,
    metadata,
    regions,
)

from cdi.base.faults import Fault
from importer.archive import extract
from importer.contents import unwrap
from importer.decode.registry import open_decoder
from importer.decode.xz_blocks import read_index
from importer.fetch.rangeset import RangeSet
from importer.formats import ReadAt
from importer.formats.foreign import document, packing, refuse_unread_formats
from importer.formats.magic import looks_like_a_page, recognise
from importer.formats.qcow2_pending import Pending
from importer.formats.qcow2_stream import Qcow2Placer
from importer.formats.registry import open_image
from importer.formats.vmdk_descriptor import check_descriptor
from importer.sources import HEAD_SIZE, Facts

KiB, MiB = 1024, 1024 * 1024
COPIED = 1 << 63
PART = int(os.environ.get("LARGEST_PART", "1"))  # of the tables of a stream, and of what is held of them, only 1/PART


class _Nowhere:
    def put(self, host: int, data: memoryview) -> None: ...

    def get(self, host: int, length: int) -> bytes:
        return bytes(length)


def _stream(bits: int, tables: int, entries: Callable[[int, int], Iterator[int]]) -> None:
    """A qcow2 stream of nothing but L2 tables, the entries of each by its number and how many there are."""
    Pending.MOST //= PART
    size, tables = 1 << bits, tables // PART
    l1_clusters = -(-tables * 8 // size)
    head = qcow2(
        cluster_bits=bits,
        size=tables * (size // 8) * size,
        l1_size=tables,
        l1_offset=size,
        refcount_clusters=0,
        header_length=104,
    )[:112].ljust(size, b"\0")
    placer = Qcow2Placer(_Nowhere())
    first = 1 + l1_clusters
    l1 = struct.pack(f">{tables}Q", *(COPIED | (first + n) * size for n in range(tables))).ljust(
        l1_clusters * size, b"\0"
    )
    for part in (bytes(head[:size]), l1):
        list(placer.feed(memoryview(part)))
    for number in range(tables):
        table = struct.pack(f">{size // 8}Q", *entries(number, size // 8))
        list(placer.feed(memoryview(table)))
    list(placer.finish())


def _scattered(bits: int) -> Callable[[int, int], Iterator[int]]:
    """Clusters far behind, none twice, no two of them neighbours."""

    def entries(number: int, count: int) -> Iterator[int]:
        return ((1 << 44) + ((number * count + (n ^ 1)) << bits + 1) | COPIED for n in range(count))

    return entries


def _lonely(number: int, count: int) -> Iterator[int]:
    yield (1 << 44) + (number << 10) | COPIED
    yield from (0 for _ in range(count - 1))


def _repeated(number: int, count: int) -> Iterator[int]:
    return ((1 << 44) + (n % 2 << 17) | COPIED for n in range(count))


def _packed(number: int, count: int) -> Iterator[int]:
    return (1 << 62 | 1 << 44 for _ in range(count))


def _by_ranges(format: str, read_at: ReadAt, size: int) -> None:
    for _ in open_image(format, read_at, size).extents():
        pass


def _long_l1() -> None:
    """32 MiB of L1, which name a table everywhere."""
    count = 4 * MiB
    head = bytes(qcow2(size=count * 512 * MiB, l1_size=count))
    table = struct.pack(f">{64 * KiB}Q", *(COPIED | (n + 600) * 64 * KiB for n in range(64 * KiB)))

    def read_at(offset: int, length: int) -> bytes:
        if offset < 3 * 64 * KiB:
            return head[offset : offset + length]
        return (table * (length // len(table) + 1))[:length] if offset < 40 * MiB else bytes(length)

    _by_ranges("qcow2", read_at, 1 << 33)


def _long_directory() -> None:
    """A grain directory of 32 MiB without a table in it."""
    head = bytes(vmdk(capacity=(8 * MiB) * 8, entries=1, grain=8))[: 64 * KiB]
    _by_ranges("vmdk", lambda offset, length: head[offset : offset + length].ljust(length, b"\0"), 64 * MiB)


def _long_vhd_table() -> None:
    image = vhd(size=2040 << 30, entries=2040 << 11, block=512 * KiB)[:1536]
    _by_ranges("vhd", lambda offset, length: image[offset : offset + length].ljust(length, b"\xff"), 64 * MiB)


def _long_map() -> None:
    """Blocks that were never written or given up, one by one: a 32nd part of the 2 GiB that are read at most."""
    count, head = 1 << 24, bytes(vdi(size=(1 << 24) * MiB, blocks=1 << 24)[:512])
    table = b"\xff" * 4 + b"\xfe" + b"\xff" * 3
    _by_ranges(
        "vdi",
        lambda offset, length: head[offset : offset + length] if offset < 512 else (table * (length // 8 + 1))[:length],
        512 + 4 * count,
    )


def _long_block_table() -> None:
    """A VHDX of 64 TiB without a block, in each of the states that say so."""
    length = (64 * MiB + 16 * KiB) * 8
    found = (
        regions(((TABLE_REGION, 8 * MiB, length, 1), (METADATA_REGION, METADATA, MiB, 1))),
        metadata(items(1 << 46)),
    )
    head = bytes(image({192 * KiB: found[0], METADATA: found[1]}))
    table = struct.pack("<4Q", 0, 1, 2, 3) * (MiB // 32)
    _by_ranges("vhdx", lambda offset, size: head[offset : offset + size] if offset < 8 * MiB else table[:size], 1 << 47)


def _most_regions() -> None:
    """As many regions, and as many items of metadata, as their tables hold."""
    nothing = (bytes(16), 0, 0, 0)
    places = ((TABLE_REGION, 3 * MiB, MiB, 1), (METADATA_REGION, METADATA, MiB, 1))
    table = bytearray(metadata(items(MiB)))
    known = bytes(table[32 : 32 + 5 * 32])
    table[10:12], table[32 : 64 * KiB] = struct.pack("<H", 2047), known.rjust(64 * KiB - 32, b"\0")
    data = bytes(image({192 * KiB: regions([*[nothing] * 2045, *places]), METADATA: bytes(table)}))
    _by_ranges("vhdx", reader(data), len(data))


def _torn_log() -> None:
    """The longest, with an entry at every sector that is as long as all of it, and none of them whole."""
    length = 16 * MiB
    torn = bytearray(entry(length=length)[:SECTOR])
    torn[4] ^= 1
    head = bytes(image({}, log_id=LOG_ID, log=(8 * MiB, length)))
    log = bytes(torn) * (length // SECTOR)
    _by_ranges("vhdx", lambda at, size: log[:size] if at == 8 * MiB else head[at : at + size], 32 * MiB)


def _number(value: int) -> bytes:
    """As xz writes it, 63 bits at most."""
    out = bytearray()
    while value >= 0x80:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes((*out, value))


def _long_index() -> None:
    """An index of an xz with as many records, each as long, as are read at most."""
    count = 1 << 20
    body = b"\0" + _number(count) + (_number(1 << 21) + _number(1 << 20)) * count
    body += bytes(-len(body) % 4)
    body += zlib.crc32(body).to_bytes(4, "little")
    fields = (len(body) // 4 - 1).to_bytes(4, "little") + b"\0\1"
    tail = body + zlib.crc32(fields).to_bytes(4, "little") + fields + b"YZ"
    start = b"\xfd7zXZ\0\0\1" + zlib.crc32(b"\0\1").to_bytes(4, "little")
    size = len(start) + (count << 21) + len(tail)

    def read_at(offset: int, length: int) -> bytes:
        if offset < len(start):
            return (start + bytes(length))[offset : offset + length]
        behind = offset - (size - len(tail))
        return bytes(min(length, max(0, -behind))) + tail[max(0, behind) : max(0, behind + length)]

    found = read_index(read_at, size)
    assert found is not None
    assert len(found) == count


def _many_streams() -> None:
    """Each costs a request: so many are one too many."""
    stream = lzma.compress(b"")
    data = stream * 1025
    assert read_index(reader(data), len(data)) is None
    assert read_index(reader(data[: -len(stream)]), len(data) - len(stream)) is not None


EMPTY = {
    "gz": gzip.compress(b"", mtime=0),
    "xz": lzma.compress(b""),
    "zst": b"\x28\xb5\x2f\xfd\x20\0\1\0\0",
    "zst, skippable": b"\x50\x2a\x4d\x18\0\0\0\0",
}
_GZIP = EMPTY["gz"]


def _unpacked(kind: str, unit: bytes, size: int = 4 * MiB) -> Callable[[], None]:
    """A file of nothing but ``unit``, as a stream."""

    def run() -> None:
        data, position, buffer = memoryview(unit * (size // len(unit))), 0, memoryview(bytearray(MiB))

        def read(view: memoryview) -> int:
            nonlocal position
            part = data[position : position + len(view)]
            view[: len(part)] = part
            position += len(part)
            return len(part)

        decoder = open_decoder(kind, read)
        while decoder.readinto(buffer):
            pass

    return run


def _gzip_header(flags: int, fields: bytes, end: bytes = b"") -> bytes:
    return _GZIP[:3] + bytes((flags,)) + _GZIP[4:10] + fields + end


def _head_of_nothing(kind: str) -> Callable[[], None]:
    """What is inside is looked for in up to 4 MiB."""
    unit = EMPTY[kind]
    data = unit * (8 * MiB // len(unit))
    facts = Facts(name="it", size=1 << 40, ranges=True, etag=None, head=data[:HEAD_SIZE])
    return lambda: str(unwrap(facts, lambda offset, length: data[offset : offset + length])) and None


def _feature_names() -> None:
    """A table of 64 KiB of names of features, and as many extensions of no length."""
    for body in (struct.pack(">II", 0x6803F857, 60000), struct.pack(">II", 1, 0) * 8000):
        image = qcow2(incompatible=1 << 50)
        image[112 : 112 + len(body)] = body
        try:
            _by_ranges("qcow2", reader(bytes(image)), len(image))
        except Fault:
            continue


def _descriptor(unit: bytes) -> Callable[[], None]:
    return lambda: check_descriptor((unit * MiB)[:MiB])


def _heads() -> None:
    """Beginnings that make a pattern look far."""
    for unit in (
        b" ",
        b"\n",
        b"<",
        b"<!--",
        b"{ ",
        b"[",
        b"# Disk",
        b"RW ",
        b"RW 1 ",
        b'"',
        b"x",
        b"\x50\x2a\x4d\x18\0\0\0\0",
        b"\xe3\x80\x80",
    ):
        for start in (b"", b"# Disk DescriptorFile\n", b"<", b"{", b"QED\0"):
            head = (start + unit * MiB)[:MiB]
            for look in (recognise, packing, refuse_unread_formats, looks_like_a_page):
                try:
                    look(head)
                except Fault:
                    continue
            document(head[: 64 * KiB - 1], whole=True)


def _header(type: bytes, size: int, name: bytes = b"x") -> bytes:
    block = bytearray(512)
    block[:100] = name[:100].ljust(100, b"\0")
    block[100:108], block[124:136] = b"0000000\0", b"%011o\0" % size
    block[156:157], block[257:265] = type, b"ustar\x0000"
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 32)
    return bytes(block)


def _archive(parts: Iterator[bytes]) -> None:
    rest = b""

    def read(buffer: memoryview) -> int:
        nonlocal rest
        while not rest:
            rest = next(parts, b"\0" * 1024)
        count = min(len(buffer), len(rest))
        buffer[:count] = rest[:count]
        rest = rest[count:]
        return count

    with tempfile.TemporaryDirectory() as directory:
        extract(read, Path(directory), 1 << 30)


def _closed_directories() -> Iterator[bytes]:
    """Directories with the longest names, which even their owner may not enter."""
    long = b"/".join([b"." * 1] * 100 + [b"d" * 200])
    for n in range(5_000):
        name = b"%s%05d/" % (long, n)
        yield _header(b"L", len(name)) + name.ljust(-(-len(name) // 512) * 512, b"\0") + _header(b"5", 0)


def _extended_headers(body: bytes) -> Callable[[], None]:
    """Ten of the longest, full of ``body``."""

    def parts() -> Iterator[bytes]:
        data = (body * (MiB // len(body))).ljust(MiB, b"\0")
        for _ in range(10):
            yield _header(b"x", MiB) + data
        yield _header(b"0", 0)

    return lambda: _archive(parts())


def _ranges() -> None:
    order = list(range(200_000))
    random.Random(1).shuffle(order)
    marks = RangeSet()
    for number in order:
        marks.add(number * 131072, number * 131072 + 65536)
    assert len(marks) == len(order)


INPUTS: dict[str, Callable[[], None]] = {
    "qcow2 stream, scattered": lambda: _stream(16, 4096, _scattered(16)),
    "qcow2 stream, scattered small clusters": lambda: _stream(9, 1 << 19, _scattered(9)),
    "qcow2 stream, one cluster a table": lambda: _stream(9, 1 << 19, _lonely),
    "qcow2 stream, the same clusters": lambda: _stream(16, 4096, _repeated),
    "qcow2 stream, one packed cluster": lambda: _stream(21, 40, _packed),
    "qcow2, the longest L1": _long_l1,
    "qcow2, header extensions": _feature_names,
    "vmdk, the longest directory": _long_directory,
    "vmdk, a descriptor of lines": _descriptor(b"\n"),
    "vmdk, a descriptor of extents": _descriptor(b"RW 1 SPARSE\n"),
    "vmdk, a descriptor of one line": _descriptor(b"a="),
    "vhd, the longest table": _long_vhd_table,
    "vdi, a long map": _long_map,
    "vhdx, the longest table": _long_block_table,
    "vhdx, the most regions and metadata": _most_regions,
    "vhdx, a torn log": _torn_log,
    "xz, the longest index": _long_index,
    "xz, many streams": _many_streams,
    "gz, an endless name": _unpacked("gz", _gzip_header(8, b"n" * (4 * MiB - 10))),
    "gz, an endless comment": _unpacked("gz", _gzip_header(16, b"n" * (4 * MiB - 10))),
    "gz, an extra field and an endless name": _unpacked("gz", _gzip_header(12, b"\xff" * 65537 + b"n" * 3 * MiB)),
    "gz, the longest headers": _unpacked(
        "gz", _gzip_header(12, b"\xff\xff" + bytes(65535) + b"n" * 65524, b"\0" + _GZIP[10:]), 64 * MiB
    ),
    "gz, empty members": _unpacked("gz", EMPTY["gz"]),
    "xz, empty streams": _unpacked("xz", EMPTY["xz"]),
    "zst, empty frames": _unpacked("zst", EMPTY["zst"]),
    "zst, skippable frames": _unpacked("zst", EMPTY["zst, skippable"]),
    "gz, a head of empty members": _head_of_nothing("gz"),
    "zst, a head of empty frames": _head_of_nothing("zst"),
    "zst, a head of skippable frames": _head_of_nothing("zst, skippable"),
    "beginnings": _heads,
    "tar, closed directories": lambda: _archive(_closed_directories()),
    "tar, pax records": _extended_headers(b"8 a=bcd\n"),
    "tar, sparse maps": _extended_headers(b"23 GNU.sparse.offset=1\n"),
    "tar, no records": _extended_headers(b"9"),
    "ranges in random order": _ranges,
}


def measure(name: str) -> None:
    before, start = _memory(), time.process_time()
    code = ""
    try:
        INPUTS[name]()
    except Fault as fault:
        code = fault.code
    print(json.dumps([code, time.process_time() - start, (_memory() - before) // KiB]))


def _memory() -> int:
    """KiB at most so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
