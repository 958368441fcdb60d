"""What a server's answer means: pure decisions over status, headers and what was known before."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from cdi.base.faults import Fault

_CONTENT_RANGE = re.compile(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)")
_STRONG_ETAG = re.compile(r'"[\x21\x23-\x7e]+"')
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")
_TRY_LATER = frozenset({408, 425, 429})


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
        if self.size is not None and other.size is not None and self.size != other.size:
            return True
        if self.etag and other.etag:
            return self.etag != other.etag
        return bool(self.last_modified and other.last_modified) and self.last_modified != other.last_modified

    def continues_on_another_host(self, other: Validators, trust_checksum: bool) -> bool:
        """Whether bytes of ``other``, from another place, may follow bytes of this one (design.md, section 4).

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
    return ContentRange(
        None if start is None else int(start), None if end is None else int(end), None if total == "*" else int(total)
    )


def strong_etag(value: str | None) -> str | None:
    """Only such as can be sent back in If-Range byte for byte."""
    value = (value or "").strip()
    return value if _STRONG_ETAG.fullmatch(value) else None


def content_coding(value: str | None) -> str:
    """What must be undone, in lower case; empty for bytes as they are.

    aws-chunked frames uploads only. Some S3 servers (versitygw 1.8.0) store the name with the object nevertheless.
    """
    codings = (coding.strip() for coding in (value or "").lower().split(","))
    return ", ".join(coding for coding in codings if coding not in ("", "identity", "aws-chunked"))


def retry_after_seconds(value: str | None, now_s: float) -> float | None:
    """Seconds to wait, from ``Retry-After: 120`` or an HTTP date; ``now_s`` is Unix time."""
    value = (value or "").strip()
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now_s)
    except ValueError:
        return None


def status_code_name(status: int) -> str:
    """The fault of an answer that is neither content nor redirect."""
    if status in (404, 410):
        return "SourceNotFound"
    if status in (401, 403):
        return "SourceUnauthorized"
    if status >= 500 or status in _TRY_LATER:
        return "SourceUnavailable"
    return "SourceRefused"


def status_text(status: int, reason: str) -> str:
    return f"{status} {_UNPRINTABLE.sub('?', reason)[:80]}".strip()


def status_fault(source: str, status_line: tuple[int, str], retry_after: str | None, first: bool) -> Fault:
    """``first``: nothing was read yet, so the contract's phrase is due."""
    status, reason = status_line
    text = status_text(status, reason)
    contract = f"expected status code 200, got {status}. Status: {text}" if first else ""
    values: dict[str, object] = {"source": source, "status": text}
    wait_s = retry_after_seconds(retry_after, time.time())
    if wait_s is not None:
        values["retry_after_s"] = wait_s
    return Fault(status_code_name(status), contract=contract, **values)
