"""What a server's answer means: pure decisions over status, headers and what was known before."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cdi.base.faults import Fault

# Numbers of at most 18 digits: more bytes than there are. The unit's case is free (RFC 9110, 14.1).
_CONTENT_RANGE = re.compile(r"bytes +(?:([0-9]{1,18})-([0-9]{1,18})|\*)/([0-9]{1,18}|\*)", re.IGNORECASE)
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]{1,1024}"')
_SECONDS = re.compile(r"[0-9]{1,9}")
_DATE_LENGTH = 64  # characters; the longest form of a date has 33
_SHOWN_LENGTH = 100
_CHALLENGES_LENGTH = 4096
# A scheme begins a challenge: at the start or behind a comma, and no "=" of a parameter follows it.
_SCHEME = re.compile(r"(?:^|,)[ \t]*([A-Za-z][A-Za-z0-9-]{1,30})(?=[ \t]*(?:,|$)|[ \t]+[A-Za-z0-9])")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_TRY_LATER = frozenset({408, 425, 429})
_FOR_GOOD = frozenset({501, 505, 511})  # of the 5xx those that another try does not change
# Codings that show in the bytes themselves, which are unpacked like those of any file.
CODINGS = {"gzip": "gzip", "x-gzip": "gzip", "zstd": "zstd"}
_SKIPPABLE = tuple(bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60))  # frames of zstd (RFC 8878, 3.1.2)
_MAGIC = {"gzip": (b"\x1f\x8b",), "zstd": (b"\x28\xb5\x2f\xfd", *_SKIPPABLE)}
# No codings at all, but said: S3's tools keep whatever they are given, and aws-chunked frames uploads only.
_MEANINGLESS = frozenset(
    {"", "identity", "aws-chunked", "none", "binary", "8bit", "7bit", "utf-8", "us-ascii", "iso-8859-1"}
)


@dataclass(frozen=True, slots=True)
class ContentRange:
    """``bytes start-end/total``, end included. start and end None: unsatisfied (416). total None: ``*``."""

    start: int | None
    end: int | None
    total: int | None


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells one version of a file from another. ``etag``: strong only, with quotes."""

    size: int | None
    etag: str | None
    last_modified: str | None

    def differ(self, other: Validators) -> bool:
        """True when the two are proven to be of different versions. Only what both sides have is compared."""
        if self.is_other_size(other):
            return True
        if self.etag and other.etag:
            return self.etag != other.etag
        return bool(self.last_modified and other.last_modified) and self.last_modified != other.last_modified

    def is_other_size(self, other: Validators) -> bool:
        return self.size is not None and other.size is not None and self.size != other.size

    def continues_on_another_host(self, other: Validators, trust_checksum: bool) -> bool:
        """Whether bytes of ``other``, from another place, may follow bytes of this one.

        ETags of two hosts prove sameness when equal, and nothing when different: a mirror makes its own.
        """
        same_size = self.size is not None and self.size == other.size
        return same_size and (trust_checksum or (self.etag is not None and self.etag == other.etag))

    def __str__(self) -> str:
        size = "unknown size" if self.size is None else f"{self.size} bytes"
        return " ".join(part for part in (size, self.etag or self.last_modified) if part)


def parse_content_range(value: str | None) -> ContentRange | None:
    match = _CONTENT_RANGE.fullmatch((value or "").strip())
    if not match:
        return None
    start, end, total = match.groups()
    if start is not None and int(end) < int(start):
        return None  # invalid (RFC 9110, 14.4)
    return ContentRange(
        None if start is None else int(start), None if end is None else int(end), None if total == "*" else int(total)
    )


def strong_etag(value: str | None) -> str | None:
    """Only such as can be sent back in If-Range byte for byte."""
    value = (value or "").strip()
    return value if _STRONG_ETAG.fullmatch(value) else None


def known_date(value: str | None) -> str | None:
    """A date as it was sent; None for what cannot be one. Only ever compared."""
    value = (value or "").strip()
    return value if 0 < len(value) <= _DATE_LENGTH and not _UNPRINTABLE.search(value) else None


def content_coding(value: str | None) -> str:
    """The codings that are named, in lower case; empty for bytes as they are."""
    codings = (coding.strip() for coding in (value or "").lower().split(","))
    return ", ".join(coding for coding in codings if coding not in _MEANINGLESS)


def is_coded(coding: str, head: bytes) -> bool:
    """Whether the bytes are what their header says: of a file that was stored packed some say it, and some lie."""
    return head.startswith(_MAGIC.get(coding, ())) if coding else False


def unspoken_schemes(value: str) -> str:
    """What WWW-Authenticate (RFC 9110, 11.6.1) asks for, when a user and a password are of no use there; else empty."""
    schemes = dict.fromkeys(scheme.title() for scheme in _SCHEME.findall(value[:_CHALLENGES_LENGTH]))
    return "" if "Basic" in schemes else ", ".join(list(schemes)[:4])


def printable(text: str) -> str:
    """Words of a server for people: short, and nothing in them acts on a terminal."""
    text = _UNPRINTABLE.sub("?", text)
    return text if len(text) <= _SHOWN_LENGTH else f"{text[:_SHOWN_LENGTH]}..."


def changed(source: str, before: Validators, after: Validators) -> Fault:
    """``alike``: nothing but their names tells the two versions apart."""
    alike = before.size is not None and before.size == after.size
    return Fault("SourceChanged", source=source, before=str(before), after=str(after), alike=alike)


def retry_after_seconds(value: str | None, now_s: float) -> float | None:
    """Seconds to wait, from ``Retry-After: 120`` or an HTTP date; ``now_s`` is Unix time."""
    value = (value or "").strip()
    if _SECONDS.fullmatch(value):
        return float(value)
    if not 0 < len(value) <= _DATE_LENGTH:
        return None
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except (ValueError, OverflowError, TypeError, IndexError, OSError):
        return None


def status_code_name(status: int) -> str:
    """The fault of an answer that is neither content nor redirect."""
    if status in (404, 410):
        return "SourceNotFound"
    if status in (401, 403):
        return "SourceUnauthorized"
    if (status >= 500 or status in _TRY_LATER) and status not in _FOR_GOOD:
        return "SourceUnavailable"
    return "SourceRefused"


def status_text(status: int, reason: str) -> str:
    return f"{status} {_UNPRINTABLE.sub('?', reason)[:80]}".strip()


def status_fault(
    source: str, status_line: tuple[int, str], retry_after: str | None, first: bool, withheld: str = ""
) -> Fault:
    """``first``: nothing was read yet, so the contract's phrase is due. ``withheld``: what the place where the answer
    came from was not sent, and where it goes instead."""
    status, reason = status_line
    text = status_text(status, reason)
    contract = f"expected status code 200, got {status}. Status: {text}" if first else ""
    values: dict[str, object] = {"source": source, "status": f"{text} ({withheld})" if withheld else text}
    wait_s = retry_after_seconds(retry_after, time.time())
    if wait_s is not None:
        values["retry_after_s"] = wait_s
    return Fault(status_code_name(status), contract=contract, **values)
