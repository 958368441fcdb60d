"""Files and block devices of this machine as a source."""

from __future__ import annotations

import errno
import os
import stat
import threading
from dataclasses import replace
from pathlib import Path
from urllib.parse import unquote, urlsplit

from cdi.base.faults import Fault
from importer.sources import HEAD_SIZE, Extents, Facts, Source, SourceSpec
from importer.sources.url import display_name, resource_of


def path_of(url: str) -> str:
    """The path of a plain path or a ``file://`` URL. Raises Fault SourceUrlInvalid for a URL of another machine."""
    if not url.lower().startswith("file:"):
        return url
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise Fault("SourceUrlInvalid", source=display_name(url), cause="its host cannot be read") from error
    if parts.netloc not in ("", "localhost"):
        raise Fault("SourceUrlInvalid", source=display_name(url), cause="file:// URLs name files of this machine only")
    return unquote(parts.path)


def open_source(spec: SourceSpec) -> Source:
    return FileSource(spec)


class FileSource:
    """Ranges are always possible. The file is opened once, so that a rename in its place changes nothing.

    ``claim``: the path is in a volume where somebody else may have put anything: it has to be a file itself, neither a
    link nor a device.
    """

    trust_checksum = False
    mixed: tuple[str, str] | None = None

    def __init__(self, spec: SourceSpec, *, claim: bool = False) -> None:
        self._path = path_of(spec.url)
        self.name = display_name(self._path)
        self._claim = claim
        self._fd = -1
        self._version: tuple[int, str] | None = None
        self._interrupted = threading.Event()
        if not self._path or "\0" in self._path:
            raise Fault("SourceUrlInvalid", source=self.name, cause="it is not a path")

    def probe(self) -> Facts:
        if self._fd < 0:
            self._fd = self._open()
        size, etag = self._measure()
        if size == 0:
            raise Fault("SourceEmpty", source=self.name)
        self._version = (size, etag)
        try:
            head = os.pread(self._fd, HEAD_SIZE, 0)
        except OSError as error:
            raise self._unreadable(error) from error
        # Of a device nothing tells whether it was written to since: no other process goes on with it.
        is_device = stat.S_ISBLK(os.fstat(self._fd).st_mode)
        known = None if is_device else etag
        resource = resource_of(self._path)
        facts = Facts(name=self.name, size=size, ranges=True, etag=known, head=head, resource=resource)
        return replace(facts, local=Path(self._path), extents=None if is_device else self._extents)

    @property
    def descriptor(self) -> int:
        """For whoever copies inside the kernel, instead of ``open``, when it was probed."""
        return self._fd

    def open(self, offset: int, length: int | None) -> FileBody:
        if self._version is None:
            raise ValueError("probe() comes before open()")
        self.check_unchanged()
        size = self._version[0]
        end = size if length is None else offset + length
        if not 0 <= offset <= end <= size:
            raise ValueError(f"bytes [{offset}, {end}) of a source of {size} bytes")
        return FileBody(self, offset, end)

    def _extents(self) -> Extents:
        """What the file system has blocks for, or is still to write. Raises FileUnreadable, SourceChanged."""
        assert self._version is not None
        size, end = self._version[0], 0
        while end < size:
            try:
                start = os.lseek(self._fd, end, os.SEEK_DATA)
                end = min(size, os.lseek(self._fd, start, os.SEEK_HOLE))
            except OSError as error:
                if error.errno != errno.ENXIO:
                    raise self._unreadable(error) from error
                start = end = size  # a hole is all that is left
            self.check_unchanged()  # behind the look: so what was a hole was one when anything else was read
            if start < end:
                yield start, end

    def check_unchanged(self) -> None:
        """Fault SourceChanged when it is not what the probe has seen."""
        now = self._measure()
        if self._version is not None and now != self._version:
            before, after = (f"{size} bytes {etag}" for size, etag in (self._version, now))
            raise Fault("SourceChanged", source=self.name, before=before, after=after)

    def read_at(self, buffer: memoryview, position: int, end: int) -> int:
        if self._interrupted.is_set():
            raise Fault("Cancelled", got=position)
        wanted = min(len(buffer), end - position)
        try:
            count = os.preadv(self._fd, [buffer[:wanted]], position)
        except OSError as error:
            raise self._unreadable(error) from error
        if count == 0 and wanted:
            raise Fault("SourceTruncated", source=self.name, got=position, expected=end)
        if count == wanted:  # what ends before is told as truncated, by the next read
            # After the read: so everything that was read was there before anything else was.
            self.check_unchanged()
        return count

    def interrupt(self) -> None:
        self._interrupted.set()

    def close(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def _open(self) -> int:
        try:
            # O_NONBLOCK: opening a FIFO must fail below, not wait for a writer. It means nothing for files and disks.
            # One that is put into a claim is not even opened: that may do something to a device.
            mode = os.lstat(self._path).st_mode if self._claim else stat.S_IFREG
            if stat.S_ISREG(mode):
                flags = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
                fd = os.open(self._path, flags | os.O_NOFOLLOW if self._claim else flags)
                mode = os.fstat(fd).st_mode
                if stat.S_ISREG(mode) or (stat.S_ISBLK(mode) and not self._claim):
                    return fd
                os.close(fd)
        except OSError as error:
            raise self._unreadable(error) from error
        if stat.S_ISLNK(mode):
            cause = "it is a symbolic link, and none is followed out of a claim"
        else:
            other = "it is no file" if self._claim else "it is neither a file nor a block device"
            cause = "it is a directory" if stat.S_ISDIR(mode) else other
        raise Fault("FileUnreadable", source=self.name, cause=cause)

    def _measure(self) -> tuple[int, str]:
        """(size, etag). A block device has no time of modification that means anything: its etag is its size."""
        try:
            status = os.fstat(self._fd)
            is_device = stat.S_ISBLK(status.st_mode)
            size = os.lseek(self._fd, 0, os.SEEK_END) if is_device else status.st_size
        except OSError as error:
            raise self._unreadable(error) from error
        # The time of change too: that of modification can be set, and is by whoever copies it.
        times = "0" if is_device else f"{status.st_mtime_ns}-{status.st_ctime_ns}"
        return size, f'"{times}-{size}-{status.st_ino}"'

    def _unreadable(self, error: OSError) -> Fault:
        cause = (error.strerror or type(error).__name__).lower()
        return Fault("FileUnreadable", source=self.name, cause=cause)


class FileBody:
    """Reads with pread: bodies of one file do not disturb each other."""

    def __init__(self, source: FileSource, offset: int, end: int) -> None:
        self._source = source
        self._position = offset
        self._end = end

    def readinto(self, buffer: memoryview) -> int:
        count = self._source.read_at(buffer, self._position, self._end)
        self._position += count
        return count

    def close(self) -> None:
        """Nothing to give back: the file belongs to the source."""
