"""The largest and worst input that each parser of foreign tables and texts can get, and what it costs to refuse it.

    python -c "from support.largest import measure; measure('name')"

prints [fault code or "", CPU seconds, MiB of memory above the start].
"""

from __future__ import annotations

import json
import random
import resource
import struct
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from support.hostile import qcow2, vhd, vmdk
from support.images import reader

from cdi.base.faults import Fault
from importer.archive import extract
from importer.fetch.rangeset import RangeSet
from importer.formats import ReadAt
from importer.formats.foreign import document, packing, refuse_unread_formats
from importer.formats.magic import looks_like_a_page, recognise
from importer.formats.qcow2_stream import Qcow2Placer
from importer.formats.registry import open_image
from importer.formats.vmdk_descriptor import check_descriptor

KiB, MiB = 1024, 1024 * 1024
COPIED = 1 << 63


class _Nowhere:
    def put(self, host: int, data: memoryview) -> None: ...

    def get(self, host: int, length: int) -> bytes:
        return bytes(length)


def _stream(bits: int, tables: int, entries: Callable[[int, int], Iterator[int]]) -> None:
    """A qcow2 stream of nothing but L2 tables, the entries of each by its number and how many there are."""
    size = 1 << bits
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
