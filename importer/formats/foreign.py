"""What is certainly no disk, though nothing else recognises it: other kinds of files, by what only they begin with.

Everything else is a raw disk, so a signature alone never decides: whatever also bears a sign of a disk is one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from cdi.base.units import KiB
from importer.formats.window import printable

_DISK_SIGNS: tuple[tuple[int, bytes], ...] = (
    (510, b"\x55\xaa"),  # a boot sector
    (512, b"EFI PART"),  # GPT with sectors of 512 and of 4096 bytes
    (4096, b"EFI PART"),
    (32769, b"CD001"),  # ISO 9660, UDF: what comes before is free, also for other files' signatures
    (32769, b"BEA01"),
)
_PACKINGS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind, tool)
    for pattern, kind, tool in (
        (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "packed with bzip2", "bunzip2"),
        (rb"\x04\x22\x4d\x18[\x40-\x7f][\x40-\x70]", "packed with lz4", "unlz4"),
        (rb"PK\x03\x04[\0-\x3f]\0", "a zip archive", "unzip"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
        (rb"Rar!\x1a\x07[\x00\x01]", "a rar archive", "unrar x"),
    )
)
_DOCUMENTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"%PDF-\d\.\d"), "a PDF document"),
    (re.compile(rb"\0\0[\0-\x04].ftyp[ -~]{4}", re.DOTALL), "an MP4 video"),
)
_OVA = re.compile(rb"[^\0]*\.(?:ovf|vmdk|mf)\0", re.IGNORECASE)
_TEXT_LIMIT = 64 * KiB
_BLANK = " \t\r\n\f\v\xa0\u3000"
_LINE = 40
_LONG_WORD = 20
_SECRET_FOLLOWS = ("bearer", "basic", "token", "password", "secret", "key")


class Packing(NamedTuple):
    """``kind`` completes "the file is"; ``advice``: how to get at the disk image inside."""

    kind: str
    advice: str


def packing(head: bytes) -> Packing | None:
    """A compression or archive that is not taken off here, with a disk image inside at best.

    ``head``: the first 33 KiB or more of the content, or all of it.
    """
    if _bears_a_disk_sign(head):
        return None
    for pattern, kind, tool in _PACKINGS:
        if pattern.match(head):
            return Packing(kind, f"unpack it first ({tool})")
    if head.startswith(b"ustar", 0x101) and _OVA.match(head[:100]):
        name = printable(head[:100].partition(b"\0")[0], _LINE)
        advice = "take the disk out of it (tar -xf), or have its files unpacked with contentType: archive (--archive)"
        return Packing(f"an OVA (a tar archive that begins with {name!r})", advice)
    return None


def document(head: bytes, *, whole: bool) -> tuple[str, str] | None:
    """(what it is, what it begins with) of a document, a video or a short text; else None.

    ``whole``: nothing comes behind ``head``. A text is short below 64 KiB.
    """
    if _bears_a_disk_sign(head):
        return None
    for pattern, kind in _DOCUMENTS:
        if match := pattern.match(head):
            return kind, printable(match.group())
    text = _text(head) if whole and len(head) < _TEXT_LIMIT else ""
    return (f"a text of {len(head)} bytes", _beginning(text)) if text else None


def _bears_a_disk_sign(head: bytes) -> bool:
    return any(head.startswith(sign, offset) for offset, sign in _DISK_SIGNS)


def _text(data: bytes) -> str:
    """``data`` as text, without the blanks around it; empty when it is anything else than printable UTF-8."""
    try:
        text = data.decode("utf-8-sig").strip(_BLANK)
    except UnicodeDecodeError:
        return ""
    return text if all(char.isprintable() or char in _BLANK for char in text) else ""


def _beginning(text: str) -> str:
    """At most 40 characters of the first line, without what may be a credential: servers repeat what they were sent."""
    words = text.splitlines()[0].split()
    shown = ("***" if _may_be_secret(before, word) else word for before, word in pairwise(["", *words]))
    return printable(" ".join(shown), _LINE)


def _may_be_secret(before: str, word: str) -> bool:
    named = before.lower().rstrip(":").endswith(_SECRET_FOLLOWS)
    return named or len(word) >= _LONG_WORD or any(mark in word for mark in "=?@")
