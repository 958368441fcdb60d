"""The file in a form (multipart/form-data), as a stream: the part named ``file``; others are read and left."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import multipart

from cdi.base.faults import Fault
from cdi.base.printable import one_line
from cdi.base.units import KiB, MiB

_PIECE = 64 * KiB
_FIELD = "file"  # the contract's
_BESIDE = MiB  # bytes of a form that are not the file: other fields, headers, what stands before and behind
_PARTS, _BOUNDARY = 64, 200


class Form:
    """``readinto`` gives the file's bytes; it ends when the whole form has come, and was one."""

    def __init__(self, content_type: str, readinto: Callable[[memoryview], int]) -> None:
        """Reads nothing yet. Raises Fault UploadMalformed for a content type that is none of a form."""
        kind, options = multipart.parse_options_header(content_type)
        boundary = options.get("boundary", "")
        if kind != "multipart/form-data" or not 0 < len(boundary) <= _BOUNDARY:
            raise _malformed("its Content-Type is not multipart/form-data with a boundary")
        try:
            self._parser = multipart.PushMultipartParser(boundary, max_segment_count=_PARTS)
        except (multipart.MultipartError, UnicodeError) as error:
            raise _malformed(str(error)) from error
        self._read = readinto
        self._type = ""
        self._pieces = self._file()
        self._piece = memoryview(b"")

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer``; 0 only at the end. Raises Fault UploadMalformed, and what the body raises."""
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        count = min(len(buffer), len(self._piece))
        buffer[:count] = self._piece[:count]
        self._piece = self._piece[count:]
        return count

    def media_type(self) -> str:
        """What the part says of the file. Reads until its first bytes have come; raises as ``readinto``."""
        if not self._piece:
            self._piece = memoryview(next(self._pieces, b""))
        return self._type

    def _file(self) -> Iterator[bytes]:
        came = given = 0
        is_file = found = False
        for chunk in self._chunks():
            came += len(chunk)
            for event in self._events(chunk):
                if isinstance(event, multipart.MultipartSegment):
                    is_file = event.name == _FIELD and not found
                    found = found or is_file
                    self._type = (event.content_type or "") if is_file else self._type
                elif is_file and event:
                    given += len(event)
                    yield event
            if came - given > _BESIDE + 2 * _PIECE:
                raise _malformed(f"it has more than {_BESIDE:,} bytes beside the part named {_FIELD}")
        for _ in self._events(b""):
            """Nothing comes: it says whether the form was complete."""
        if not found:
            raise _malformed(f"the form has no part named {_FIELD}")

    def _chunks(self) -> Iterator[bytes]:
        buffer = memoryview(bytearray(_PIECE))
        while count := self._read(buffer):
            yield bytes(buffer[:count])

    def _events(self, chunk: bytes) -> Iterator[multipart.MultipartSegment | bytes | None]:
        try:
            yield from self._parser.parse(chunk)
        except multipart.MultipartError as error:
            raise _malformed(one_line(str(error))) from error


def _malformed(cause: str) -> Fault:
    return Fault("UploadMalformed", cause=cause.removesuffix("."))
