"""The head of an answer: status line and fields, read within bounds (RFC 9112), and what it says of its body.

Servers send 103 Early Hints, 120 fields of a CDN, folded lines and lines without a colon; curl and Go read them all,
and so does this. What nobody needs ends: the bounds are those of curl (lib/http.h, lib/headers.h).
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from importer.sources.incoming import BadAnswer, Ended, Incoming

LINE_LIMIT = 100 * 1024  # bytes of one line
HEAD_LIMIT = 300 * 1024  # of all lines together, those of 1xx answers included
FIELD_LIMIT = 5000
_STATUS_LINE = re.compile(rb"HTTP/(\d)(?:\.(\d))? +(\d{3})(?:[ \t]+(.*))?", re.DOTALL)
_DIGITS = re.compile(r"[0-9]{1,18}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")


class Fields(Protocol):
    """Looks up a field by its name, whatever its case: its first value."""

    def get(self, name: str, /) -> str | None: ...


class Headers:
    """The fields of one head, in their order. Values are latin-1, as they came, without blanks around them."""

    def __init__(self, pairs: Iterable[tuple[str, str]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.lower(), []).append(value)

    def get(self, name: str, /) -> str | None:
        values = self._values.get(name.lower())
        return values[0] if values else None

    def text(self, name: str) -> str:
        return self.get(name) or ""

    def joined(self, name: str) -> str:
        """All values as one list (RFC 9110, 5.3)."""
        return ", ".join(self._values.get(name.lower(), ()))


@dataclass(frozen=True, slots=True)
class Head:
    """``length``: announced bytes of the body; None when chunks or the end of the connection tell. ``keeps``: the
    connection may carry another exchange."""

    status: int
    reason: str
    headers: Headers
    length: int | None
    chunked: bool
    keeps: bool


def read_head(incoming: Incoming, patience_s: float) -> Head:
    """The head of the final answer; those with a status 1xx before it are read past (RFC 9110, 15.2).

    Blocking, about ``patience_s`` at most. Raises BadAnswer, Ended when the peer closed instead, OSError.
    """
    reading = _Reading(incoming, time.monotonic() + patience_s)
    while True:
        version, status, reason = reading.status_line()
        headers = reading.headers()
        if status == 101:
            raise BadAnswer("it switches to a protocol that nobody asked for (101)")
        if status >= 200:
            return _head(version, status, reason, headers)


class _Reading:
    def __init__(self, incoming: Incoming, until_s: float) -> None:
        self._incoming = incoming
        self._until_s = until_s
        self._left = HEAD_LIMIT
        self._begun = False

    def _line(self) -> bytes:
        try:
            line = self._incoming.line(LINE_LIMIT, self._until_s)
        except Ended as error:
            if self._begun:
                raise Ended("closed in the middle of an answer") from error
            raise
        self._begun = True
        self._left -= len(line) + 2
        if self._left < 0:
            raise BadAnswer(f"its head is longer than {HEAD_LIMIT:,} bytes")
        return line

    def status_line(self) -> tuple[int, int, str]:
        line = self._line()
        match = _STATUS_LINE.fullmatch(line)
        if match is None or match[1] == b"0":
            raise BadAnswer(f"it begins with {_shown(line.decode('latin-1'))}")
        version = int(match[1]) * 10 + int(match[2] or 0)
        return version, int(match[3]), (match[4] or b"").decode("latin-1").strip()

    def headers(self) -> Headers:
        pairs: list[tuple[str, bytearray]] = []
        while line := self._line():
            if line[:1] in b" \t":  # folded (RFC 9112, 5.2)
                if pairs:
                    pairs[-1][1].extend(b" " + line.strip())
                continue
            name, colon, value = line.partition(b":")
            if not colon:
                continue  # no field; curl and Go disagree about it, and it says nothing
            if len(pairs) == FIELD_LIMIT:
                raise BadAnswer(f"it has more than {FIELD_LIMIT:,} fields")
            pairs.append((name.strip().decode("latin-1"), bytearray(value.strip())))
        return Headers((name, value.decode("latin-1")) for name, value in pairs)


def _head(version: int, status: int, reason: str, headers: Headers) -> Head:
    """How its body ends: RFC 9112, 6.3."""
    tokens = {token.strip().lower() for token in headers.joined("Connection").split(",")}
    keeps = "close" not in tokens and (version >= 11 or "keep-alive" in tokens)
    if status in (204, 304):
        return Head(status, reason, headers, 0, chunked=False, keeps=keeps)
    coding = headers.joined("Transfer-Encoding").strip().lower()
    if coding not in ("", "identity", "chunked"):
        raise BadAnswer(f"its Transfer-Encoding is {_shown(coding)}, which was not asked for")
    if coding == "chunked":
        return Head(status, reason, headers, None, chunked=True, keeps=keeps)
    length = _length(headers.joined("Content-Length"))
    return Head(status, reason, headers, length, chunked=False, keeps=keeps and length is not None)


def _length(text: str) -> int | None:
    """Several equal values are one (RFC 9110, 8.6); what else cannot be read would end the body anywhere."""
    values = {value.strip() for value in text.split(",")} - {""}
    if not values:
        return None
    if len(values) > 1 or not _DIGITS.fullmatch(min(values)):
        raise BadAnswer(f"its Content-Length is {_shown(text)}")
    return int(min(values))


def _shown(text: str) -> str:
    text = _UNPRINTABLE.sub("?", text)
    return repr(text if len(text) <= 60 else f"{text[:60]}...")
