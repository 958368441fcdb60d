"""What of a disk is written already, so that another process can go on.

An append-only text file. Every line is ``<type> <fields> <crc32>``; reading ends at the first line that is torn or
damaged, so a mark counts only if everything before it is whole. Types:

    H <json>                  whose journal this is: always the first line
    W <start> <end>           these bytes of the disk were handed to the kernel
    F <transferred> <plain>   everything before ``plain`` is written; a fresh decoder can start at ``transferred``
    S                         a sync of the target begins
    D                         that sync ended: every mark before its S would survive a power cut

Order, guaranteed here: data before its W; S before the target's fdatasync before D; D before the journal's fdatasync.
An S of its own is needed because other threads go on writing marks while the target is synced.
"""

from __future__ import annotations

import errno
import json
import os
import stat
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from zlib import crc32

from cdi.base.units import KiB, MiB
from importer.fetch.rangeset import RangeSet
from importer.sinks.identity import boot_id
from importer.sinks.kernel import sync_directory
from importer.sinks.refusal import fault_of, refusals

Frame = tuple[int, int]

COMPACT_AT = 4 * MiB  # bytes of journal; then it is written anew with merged ranges
_MOST = 128 * MiB  # bytes of a journal that is read: of two million marks
_UNBOUNDED = 2**63
_RECORDED = 64  # ranges of a record at most: it travels in an annotation


@dataclass(frozen=True, slots=True)
class Header:
    """Whose journal it is. ``etag``: strong. ``resource``: what the source is on whatever host (``Facts.resource``).

    ``plan``: route, format, checksum. ``disk_size``: bytes of disk, None while unknown.
    """

    source: str
    resource: str
    size: int | None
    etag: str | None
    target: str
    plan: str
    disk_size: int | None = None
    verified: bool = False  # against a checksum, before it is published
    boot_id: str = field(default_factory=boot_id)

    def continues(self, earlier: Header) -> bool:
        """The same bytes to the same place in the same way. A mirror may serve them. But an ETag tells versions of one
        resource apart, not resources (RFC 9110, 8.8.3; nginx makes it of time and size): that another resource is the
        same, only a checksum can say (docs/design/0002-what-another-path-proves.md)."""
        if self.resource != earlier.resource and not self.verified:
            return False
        if self.size is None or not self.etag or self.etag.startswith("W/"):
            return False
        return self._decisive() == earlier._decisive()

    def _decisive(self) -> tuple[object, ...]:
        return (self.size, self.etag, self.target, self.plan, self.disk_size)


@dataclass(frozen=True, slots=True)
class Kept:
    """What of an earlier process's work counts. ``frame``: as given to ``Journal.frame``.

    ``head``: so many bytes at the start of the disk were held in memory and have to be made again (a device).
    """

    ranges: RangeSet = field(default_factory=RangeSet)
    frame: Frame | None = None
    head: int = 0

    @property
    def nothing(self) -> bool:
        return self.ranges.total == 0 and self.frame is None

    @property
    def reach(self) -> int:
        """Bytes of disk up to the last one that counts: the target is at least so long, whatever a plan expects."""
        return self.ranges.end


class Checkpointer:
    """When to make the written part durable: every ``step`` bytes or ``interval_s`` seconds. Pure; one thread."""

    def __init__(self, step: int = 256 * MiB, interval_s: float = 10.0) -> None:
        self._step = step
        self._interval_s = interval_s
        self._bytes = 0
        self._at: float | None = None

    def due(self, bytes_written: int, now: float) -> bool:
        """``bytes_written`` in all, ``now`` by a monotonic clock. Nothing is due when nothing was written."""
        if self._at is None:
            self._at = now
        fresh = bytes_written - self._bytes
        if fresh <= 0 or (fresh < self._step and now - self._at < self._interval_s):
            return False
        self._bytes, self._at = bytes_written, now
        return True


class _Layer:
    """Marks of one degree of certainty."""

    def __init__(self) -> None:
        self.ranges = RangeSet()
        self.frame: Frame | None = None

    def absorb(self, newer: _Layer) -> None:
        self.ranges.update(newer.ranges)
        self.frame = newer.frame or self.frame
        newer.ranges = RangeSet()
        newer.frame = None


class Marks:
    """The state that the lines of a journal add up to: durable, being synced, and written since. Pure."""

    def __init__(self, limit: int, volatile: Sequence[tuple[int, int]] = ()) -> None:
        self._limit = limit
        self._volatile = tuple(volatile)
        self.durable, self.syncing, self.fresh = _Layer(), _Layer(), _Layer()
        self.held = RangeSet()  # marks of what only lives as long as the process that made them

    def apply(self, kind: str, numbers: list[int]) -> bool:
        """False for a line that no journal of ours holds."""
        match kind, numbers:
            case "W", [start, end] if 0 <= start < end <= self._limit:
                self._add(start, end)
            case "F", [transferred, plain] if transferred >= 0 and 0 <= plain <= self._limit:
                self._add(0, plain)
                self.fresh.frame = (transferred, plain)
            case "S", []:
                self.syncing.absorb(self.fresh)
            case "D", []:
                self.durable.absorb(self.syncing)
            case _:
                return False
        return True

    def _add(self, start: int, end: int) -> None:
        self.fresh.ranges.add(start, end)
        for low, high in self._volatile:
            self.fresh.ranges.remove(low, high)
            self.held.add(max(low, start), min(high, end))

    def gap(self, size: int) -> tuple[int, int] | None:
        """The first part of [0, size) without a mark."""
        position = 0
        while position < size:
            reached = max(each.reach(position) for each in self._all())
            if reached == position:
                return position, min(next(each.missing(position, size))[1] for each in self._all())
            position = reached
        return None

    @property
    def reach(self) -> int:
        """The end of the last mark."""
        return max(each.end for each in self._all())

    def _all(self) -> tuple[RangeSet, ...]:
        return self.held, self.durable.ranges, self.syncing.ranges, self.fresh.ranges

    def kept(self, same_boot: bool) -> Kept:
        """All marks after a mere death of the process; only durable ones when the kernel's cache is gone too."""
        layers = (self.durable, self.syncing, self.fresh) if same_boot else (self.durable,)
        ranges, frame = RangeSet(), None
        for layer in layers:
            ranges.update(layer.ranges)
            frame = layer.frame or frame
        head = max((high for low, high in self._volatile if low == 0), default=0)
        # A frame stands on everything before it; the head can be made again from the source's first bytes.
        counts = frame is not None and frame[1] > head and ranges.covers(head, frame[1])
        return Kept(ranges, frame if counts else None, head)

    def lines(self) -> Iterator[bytes]:
        """The shortest journal with this state."""
        yield from _layer_lines(self.durable)
        yield from (_line("S"), _line("D"))
        yield from _layer_lines(self.syncing)
        yield _line("S")
        yield from _layer_lines(self.fresh)


class Journal:
    """Marks of one import, kept beside its target. Safe from several threads. Faults: those of a sink."""

    def __init__(self, path: Path, header: Header, marks: Marks) -> None:
        """Write the file anew with what ``marks`` hold; use ``open``."""
        self._path = path
        self._header = header
        self._marks = marks
        marks.held = RangeSet()  # those of the process before died with it
        self._lock = threading.Lock()  # guards _marks, _fd, _size, _compact_at, _distrusted
        self._fd = -1
        self._size = 0
        self._compact_at = COMPACT_AT
        self._distrusted = False
        with refusals(str(path)):
            self._locked_rewrite()

    @staticmethod
    def open(
        path: Path,
        header: Header,
        *,
        volatile: Sequence[tuple[int, int]] = (),
        handed: tuple[str, str] = ("", ""),
        ready: Callable[[Kept], str] | None = None,
    ) -> tuple[Journal, Kept]:
        """The journal at ``path`` and what it allows to keep: nothing unless it was written for the same ``header``.

        ``volatile``: (start, end) of what the sink holds in memory; it is never marked. ``handed``: a ``record`` of
        another process, whose journal is out of reach and for which the target vouches, and the stamp that the target
        bears. ``ready`` makes the target as the journal will say that it is, and gives its identity then; when that is
        nothing, there is no journal any more.
        """
        marks = read_journal(_content(path), header, volatile)
        if marks is None and all(handed):
            record, stamp = handed
            marks = read_journal(record.encode(), replace(header, target=stamp, boot_id=""), volatile)
        if marks is None:
            marks = Marks(_limit(header), volatile)
        kept = marks.kept(same_boot=True)  # read_journal has dropped what does not count
        if kept.nothing:
            forget(path)
        if ready is not None:
            header = replace(header, target=ready(kept))
        return Journal(path, header, marks), kept

    def written(self, offset: int, length: int) -> None:
        """The kernel has taken these bytes of the disk. One write, no sync: survives the death of this process."""
        if length > 0:
            self._append("W", offset, offset + length)

    def frame(self, transferred: int, plain: int) -> None:
        """Everything before ``plain`` is written, and a fresh decoder can start at ``transferred``."""
        self._append("F", transferred, plain)

    def durable(self, sync: Callable[[], None]) -> int:
        """Call ``sync`` (the sink's) and record that all marks made before it are durable; bytes of disk that are.

        One thread at a time; others may go on writing and marking meanwhile.
        """
        self._append("S")
        try:
            sync()
        except BaseException:
            self.distrust()
            raise
        self._append("D")
        with self._lock, refusals(str(self._path)):
            os.fdatasync(self._fd)
            return self._marks.durable.ranges.total

    def distrust(self) -> None:
        """A sync of the target failed: the kernel says so once, and may have dropped what it could not write. Only what
        was durable before counts, also for the process that comes next, and nothing that is still under way.

        Where the journal's own file system takes neither the shorter journal nor its removal (it has become read-only),
        the marks stay in it, and are believed until the next boot.
        """
        with self._lock, suppress(OSError):
            if self._distrusted:
                return
            self._distrusted = True
            self._marks.fresh, self._marks.syncing = _Layer(), _Layer()
            if self._fd >= 0:
                try:
                    self._locked_rewrite()
                except OSError:
                    self._path.unlink(missing_ok=True)

    def gap(self, size: int) -> tuple[int, int] | None:
        """The first (start, end) of a disk of ``size`` bytes that nobody has written; None when it is whole."""
        with self._lock:
            return self._marks.gap(size)

    @property
    def reach(self) -> int:
        """Bytes of disk up to the last one that somebody has written."""
        with self._lock:
            return self._marks.reach

    def record(self, stamp: str) -> str:
        """The durable marks, for a process that sees the target but not this file: a journal whose target is
        ``stamp``. Of a very scattered disk only the largest ranges."""
        with self._lock:
            durable = self._marks.durable
            largest = sorted(durable.ranges, key=lambda each: each[0] - each[1])[:_RECORDED]
            lines = [_header_line(replace(self._header, target=stamp))]
            lines += [_line("W", start, end) for start, end in sorted(largest)]
            lines += [_line("F", *durable.frame)] if durable.frame else []
        return b"".join((*lines, _line("S"), _line("D"))).decode()

    def remove(self) -> None:
        """The import is over: nothing is left to continue."""
        self.close()
        forget(self._path)

    def close(self) -> None:
        """The file stays, for a resume."""
        with self._lock:
            if self._fd >= 0:
                os.close(self._fd)
                self._fd = -1

    def _append(self, kind: str, *numbers: int) -> None:
        line = _line(kind, *numbers)
        with self._lock, refusals(str(self._path)):
            if self._distrusted:
                return  # another thread was in the middle of a write: the kernel took it, and may have dropped it
            if not self._marks.apply(kind, list(numbers)):
                raise ValueError(f"mark {kind} {numbers} lies outside the disk")
            _write(self._fd, line)
            self._size += len(line)
            if self._size > self._compact_at:
                self._locked_rewrite()

    def _locked_rewrite(self) -> None:
        fresh = fresh_of(self._path)
        fresh.unlink(missing_ok=True)  # of a process that was killed
        fd = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            size = _write_all(fd, self._header, self._marks)
            os.fdatasync(fd)
            os.rename(fresh, self._path)
            sync_directory(self._path.parent)
        except BaseException:
            os.close(fd)
            raise
        if self._fd >= 0:
            os.close(self._fd)
        self._fd, self._size = fd, size
        self._compact_at = max(COMPACT_AT, 2 * size)  # else a scattered disk would be compacted at every mark


def fresh_of(path: Path) -> Path:
    """The name that a journal has while it is written anew."""
    return path.with_name(path.name + ".new")


def target_named_in(content: bytes) -> str | None:
    """The target's identity that a journal names; None for what is no journal of ours, of this version or another."""
    first = next(_whole_lines(content), None)
    if first is None or first[0] != "H":
        return None
    try:
        return str(json.loads(first[1])["target"])
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def forget(path: Path) -> None:
    """Durably. It comes before what it vouches for is destroyed: whoever is killed in between has just less to keep."""
    with refusals(str(path)):
        if os.path.lexists(path):
            path.unlink(missing_ok=True)
            sync_directory(path.parent)


def read_journal(content: bytes, header: Header, volatile: Sequence[tuple[int, int]] = ()) -> Marks | None:
    """The marks in ``content`` that count for an import with ``header``; None when it belongs to another. Pure."""
    lines = _whole_lines(content)
    first = next(lines, None)
    earlier = _parse_header(first[1]) if first is not None and first[0] == "H" else None
    if earlier is None or not header.continues(earlier):
        return None
    marks = Marks(_limit(header), volatile)
    for kind, fields in lines:
        numbers = _parse_numbers(fields)
        if numbers is None or not marks.apply(kind, numbers):
            break
    if header.boot_id and header.boot_id == earlier.boot_id:
        return marks
    survived = Marks(_limit(header), volatile)
    survived.durable = marks.durable
    return survived


def _limit(header: Header) -> int:
    return _UNBOUNDED if header.disk_size is None else header.disk_size


def _header_line(header: Header) -> bytes:
    return _sealed(b"H " + json.dumps(asdict(header)).encode())


def _line(kind: str, *numbers: int) -> bytes:
    return _sealed(" ".join((kind, *map(str, numbers))).encode())


def _sealed(text: bytes) -> bytes:
    return b"%s %08x\n" % (text, crc32(text))


def _whole_lines(content: bytes) -> Iterator[tuple[str, str]]:
    """(type, fields) of every line up to the first that is torn or damaged."""
    position = 0
    while (end := content.find(b"\n", position)) >= 0:
        text, _, seal = content[position:end].rpartition(b" ")
        if seal != b"%08x" % crc32(text) or not text.isascii():
            return
        kind, _, fields = text.decode("ascii").partition(" ")
        yield kind, fields
        position = end + 1


def _parse_header(fields: str) -> Header | None:
    try:
        return Header(**json.loads(fields))
    except (ValueError, TypeError, RecursionError):
        return None


def _parse_numbers(fields: str) -> list[int] | None:
    words = fields.split(" ") if fields else []
    if not all(word.isdecimal() and len(word) <= 19 for word in words):
        return None
    return [int(word) for word in words]


def _layer_lines(layer: _Layer) -> Iterator[bytes]:
    for start, end in layer.ranges:
        yield _line("W", start, end)
    if layer.frame is not None:
        yield _line("F", *layer.frame)


def _write_all(fd: int, header: Header, marks: Marks) -> int:
    """Bytes written. In parts: a scattered disk has a long journal."""
    size = 0
    part = bytearray(_header_line(header))
    for line in marks.lines():
        part += line
        if len(part) > 256 * KiB:
            _write(fd, part)
            size += len(part)
            part.clear()
    _write(fd, part)
    return size + len(part)


def _write(fd: int, data: bytes | bytearray) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def _content(path: Path) -> bytes:
    """Nothing of what cannot be a journal: of a link, of what is no file, of what is too large for one."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return b""
    except OSError as error:
        if error.errno == errno.ELOOP:
            return b""
        raise fault_of(error, str(path)) from error
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size > _MOST:
            return b""
        with refusals(str(path)), open(fd, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(fd)
