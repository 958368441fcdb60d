"""The entries of a tar stream, one after the other, with long names, pax records and sparse maps applied."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum

from cdi.base.units import KiB, MiB
from importer.archive_header import (
    BLOCK,
    Header,
    Holes,
    append_gnu_runs,
    invalid,
    parse_decimal,
    parse_field,
    parse_header,
    parse_records,
)
from importer.decode import ReadInto

PIECE = 64 * KiB
_EXTENSION_MOST = MiB  # a pax header or long name: those of GNU tar, bsdtar and Go are below 64 KiB

Write = Callable[[int, memoryview], None]  # bytes at this offset of the file


class Kind(Enum):
    FILE = "a file"
    DIRECTORY = "a directory"
    SYMLINK = "a symbolic link"
    HARDLINK = "a hard link"
    DEVICE = "a device"
    FIFO = "a FIFO"
    NONE = "nothing to unpack"


_KINDS = {
    b"0": Kind.FILE,
    b"\0": Kind.FILE,
    b"7": Kind.FILE,  # contiguous
    b"S": Kind.FILE,  # sparse, old GNU
    b"1": Kind.HARDLINK,
    b"2": Kind.SYMLINK,
    b"3": Kind.DEVICE,
    b"4": Kind.DEVICE,
    b"5": Kind.DIRECTORY,
    b"6": Kind.FIFO,
    b"D": Kind.DIRECTORY,  # GNU incremental, with a list of names as data
    b"V": Kind.NONE,  # volume label
}
_WITH_DATA = (b"0", b"\0", b"7", b"S", b"D")


@dataclass(frozen=True, slots=True)
class Entry:
    name: bytes
    kind: Kind
    mode: int
    mtime: int  # seconds since 1970
    size: int  # bytes of the file with its holes
    target: bytes  # of links
    stored: int  # bytes of data in the archive
    holes: Holes | None


_SPARSE = (b"major", b"size", b"realsize", b"name", b"map")
_RECORDS = {b"path", b"linkpath", b"size", b"mtime", *(b"GNU.sparse." + key for key in _SPARSE)}
_RUNS_MOST = 1 << 17


class _Known:
    """What pax records and GNU long names say about the next entry; other records (owners, times) are not used."""

    def __init__(self, base: _Known | None = None) -> None:
        self.values: dict[bytes, bytes] = dict(base.values) if base else {}
        self.runs: list[bytes] = []  # offset, length, offset, ... of the pax sparse format 0.0

    def learn(self, records: Iterable[tuple[bytes, bytes]]) -> None:
        for key, value in records:
            if key in (b"GNU.sparse.offset", b"GNU.sparse.numbytes"):
                self.runs.append(value)
            elif key in _RECORDS:
                self.values[key] = value
        if len(self.runs) > _RUNS_MOST:
            raise invalid("the map of a sparse file is too long")

    def number(self, key: bytes, otherwise: int) -> int:
        return parse_decimal(self.values[key]) if key in self.values else otherwise


class TarStream:
    """``next`` and, for files, ``copy`` in turn. Blocking; memory does not grow with the archive.

    Raises ArchiveInvalid for everything that is damaged, unknown, or cut: an archive must end with its end mark.
    """

    def __init__(self, read: ReadInto) -> None:
        self._read = read
        self._buffer = memoryview(bytearray(PIECE))
        self._global = _Known()
        self._left = 0  # stored bytes of the current entry not yet read
        self._padding = 0  # behind them

    def next(self) -> Entry | None:
        """The next entry; what was not copied of the one before is skipped. None at the end mark."""
        self._skip()
        known = _Known(self._global)
        while (header := parse_header(self._exactly(BLOCK))) is not None:
            if header.type in (b"x", b"X", b"g", b"L", b"K"):
                known = self._extend(header, known)
                continue
            return self._entry(header, known)
        return None

    def copy(self, entry: Entry, write: Write) -> None:
        """Give the data of ``entry`` to ``write`` in pieces of 64 KiB that start at multiples of 64 KiB in a run."""
        for start, length in entry.holes or ((0, entry.stored),):
            offset, end = start, start + length
            while offset < end:
                piece = self._data(min(PIECE - offset % PIECE, end - offset))
                write(offset, piece)
                offset += len(piece)

    def _extend(self, header: Header, known: _Known) -> _Known:
        if header.size > _EXTENSION_MOST:
            raise invalid(f"an extended header of {header.size} bytes")
        self._expect(header.size)
        data = b"".join(bytes(self._data(min(PIECE, self._left))) for _ in range(0, header.size, PIECE))
        self._skip()
        if header.type == b"g":
            self._global.learn(parse_records(data))
            return _Known(self._global)
        if header.type in (b"L", b"K"):
            known.values[b"path" if header.type == b"L" else b"linkpath"] = data.partition(b"\0")[0]
        else:
            known.learn(parse_records(data))
        return known

    def _entry(self, header: Header, known: _Known) -> Entry:
        kind = _KINDS.get(header.type)
        if kind is None:
            raise invalid(f"an entry of the unknown type {header.type!r}")
        name = known.values.get(b"path", header.name)
        if kind is Kind.FILE and header.type != b"S" and name.endswith(b"/"):
            kind = Kind.DIRECTORY  # v7 has no other way to say so
        self._expect(known.number(b"size", header.size) if header.type in _WITH_DATA else 0)
        holes = self._holes(header, known) if kind is Kind.FILE else None
        if holes is not None and holes.stored != self._left:
            raise invalid("the map of a sparse file does not fit its data")
        return Entry(
            name=known.values.get(b"GNU.sparse.name", name),
            kind=kind,
            mode=header.mode & 0o7777,
            mtime=_whole_seconds(known.values.get(b"mtime"), header.mtime),
            size=self._left if holes is None else holes.size,
            target=known.values.get(b"linkpath", header.target),
            stored=self._left,
            holes=holes,
        )

    # --- sparse maps ----------------------------------------------------------------------------------------------

    def _holes(self, header: Header, known: _Known) -> Holes | None:
        if header.type == b"S":
            return self._old_gnu(header.block)
        if b"GNU.sparse.major" in known.values:
            return self._map_in_data(known)
        if b"GNU.sparse.size" not in known.values:
            return None
        holes = Holes(known.number(b"GNU.sparse.size", 0))
        numbers = known.values[b"GNU.sparse.map"].split(b",") if b"GNU.sparse.map" in known.values else known.runs
        if len(numbers) % 2:
            raise invalid("the map of a sparse file has an offset without a length")
        for offset, length in zip(numbers[::2], numbers[1::2], strict=True):
            holes.append(parse_decimal(offset), parse_decimal(length))
        return holes

    def _old_gnu(self, block: bytes) -> Holes:
        holes = Holes(max(0, parse_field(block[483:495])))
        append_gnu_runs(holes, block[386:482])
        more = block[482]
        while more:
            block = self._exactly(BLOCK)
            append_gnu_runs(holes, block[:504])
            more = block[504]
        return holes

    def _map_in_data(self, known: _Known) -> Holes:
        """pax sparse format 1.0: decimal numbers in lines before the data, filled up to a block."""
        if known.values[b"GNU.sparse.major"] != b"1":
            raise invalid("a sparse file of an unknown version")
        holes = Holes(known.number(b"GNU.sparse.realsize", 0))
        numbers = self._numbers()
        for _ in range(next(numbers)):
            holes.append(next(numbers), next(numbers))
        return holes

    def _numbers(self) -> Iterator[int]:
        rest = b""
        while True:
            *lines, rest = (rest + bytes(self._data(min(BLOCK, self._left)))).split(b"\n")
            if len(rest) > BLOCK:
                raise invalid("the map of a sparse file is not made of numbers")
            yield from map(parse_decimal, lines)

    # --- bytes ----------------------------------------------------------------------------------------------------

    def _expect(self, size: int) -> None:
        self._left, self._padding = size, -size % BLOCK

    def _skip(self) -> None:
        while self._left:
            self._data(min(PIECE, self._left))
        self._exactly(self._padding)
        self._padding = 0

    def _data(self, count: int) -> memoryview:
        """The next ``count`` stored bytes of the entry, valid until the next read."""
        if not count:
            raise invalid("an entry is shorter than its own map")
        self._left -= count
        return self._fill(count)

    def _exactly(self, count: int) -> bytes:
        return bytes(self._fill(count))

    def _fill(self, count: int) -> memoryview:
        filled = 0
        while filled < count:
            step = self._read(self._buffer[filled:count])
            if not step:
                raise invalid("it ends in the middle; the file is incomplete")
            filled += step
        return self._buffer[:count]


def _whole_seconds(text: bytes | None, otherwise: int) -> int:
    """``text``: of a pax record; an empty one takes back what was said before (POSIX, pax Extended Header)."""
    if not text:
        return otherwise
    sign = -1 if text.startswith(b"-") else 1
    return sign * parse_decimal(text.removeprefix(b"-").partition(b".")[0])
