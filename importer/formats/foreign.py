"""What is certainly no disk, though nothing else recognises it: other kinds of files, by what only they begin with.

Everything else is a raw disk, so a signature alone never decides: whatever also bears a sign of a disk is one.
"""

from __future__ import annotations

import re
from itertools import pairwise
from typing import NamedTuple

from cdi.base.faults import Fault
from cdi.base.units import KiB
from importer.decode.zstd_frame import behind_skippable
from importer.formats.window import printable

_DISK_SIGNS: tuple[tuple[int, bytes], ...] = (
    (510, b"\x55\xaa"),  # a boot sector
    (512, b"EFI PART"),  # GPT with sectors of 512 and of 4096 bytes
    (4096, b"EFI PART"),
    (32769, b"CD001"),  # ISO 9660, UDF: what comes before is free, also for other files' signatures
    (32769, b"BEA01"),
)
# What qemu-img probes for and is not read here. Of those that it knows by a file's name only, a DMG shows at its end.
_IMAGES: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), format, feature)
    for pattern, format, feature in (
        (rb"QED\0[\0-\xff]{2}[\0-\x7f]\0", "qed", "a format that qemu has given up"),
        (rb"(?:WithoutFreeSpace|WithouFreSpacExt)\x02\0\0\0", "parallels", "a format of Parallels"),
        (rb"Bochs Virtual HD Image\0", "bochs", "a format of Bochs"),
        (rb"#!/bin/sh\n#V2\.0 Format\n", "cloop", "a compressed loop"),
        (rb"COWD\x01\0\0\0", "vmdk", "the subformat 'vmfsSparse' (COWD)"),
    )
)
# What else common tools take for a compression or an archive, as libmagic tells them, where more than two bytes say so.
_PACKINGS: tuple[tuple[re.Pattern[bytes], str, str], ...] = tuple(
    (re.compile(pattern, re.DOTALL), kind, tool)
    for pattern, kind, tool in (
        (rb"BZh[1-9](?:1AY&SY|\x17rE8P\x90)", "packed with bzip2", "bunzip2"),
        (rb"BZ3v1", "packed with bzip3", "bunzip3"),
        (rb"\x04\x22\x4d\x18[\x40-\x7f][\x40-\x70]", "packed with lz4", "unlz4"),
        (rb"\x02\x21\x4c\x18.{2}[\0-\x80]\0", "packed with lz4", "unlz4"),
        # The usual properties, a dictionary of whole 64 KiB, a size that is unknown or below 2^40, the coder's first 0.
        (rb"\x5d\0\0..(?:\xff{8}|.{5}\0{3})\0", "packed with lzma", "unlzma"),
        (rb"LZIP[\0\x01][\x0c-\xfd]", "packed with lzip", "lzip -d"),
        (rb"\x89LZO\0\r\n\x1a\n", "packed with lzop", "lzop -d"),
        (rb"LRZI\0[\x01-\x0b]", "packed with lrzip", "lrunzip"),
        (rb"RZIP\x02[\0-\x09]", "packed with rzip", "rzip -d"),
        (rb"\x1f\x9d[\x09-\x10\x89-\x90]", "packed with compress (.Z)", "uncompress"),
        (rb"\x1f\x1e.{4}[\x01-\x18]", "packed with pack (.z)", "gunzip"),
        (rb"\xff\x06\0\0sNaPpY", "packed with snappy", "snzip -d"),
        (rb"bvx[-12n]", "packed with lzfse", "lzfse -decode"),
        (rb"7kSt\xa0\x31\x83\xd3|zPQ[\x01\x02]\x01", "a zpaq archive", "zpaq x"),
        (rb"\x37\xa4\x30\xec", "a dictionary of zstd", "it holds no disk"),
        (rb"[\x22-\x27]\xb5\x2f\xfd", "packed with zstd before version 0.8", "zstd -d of such a version"),
        (rb"PK\x03\x04[\0-\x3f]\0", "a zip archive", "unzip"),
        (rb"PK(?:\x07\x08|00)PK\x03\x04", "a zip archive in parts", "unzip"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive", "7z x"),
        (rb"Rar!\x1a\x07[\x00\x01]", "a rar archive", "unrar x"),
        (rb"xar!\0\x1c\0[\0-\x02]", "a xar archive", "xar -xf"),
        (rb"MSCF\0\0\0\0", "a cabinet archive", "cabextract"),
        (rb"MSWIM\0\0\0", "a Windows image (wim)", "wimapply"),
        (rb".{2}-l[hz][0-9a-z]-", "a lha archive", "lha x"),
        (rb".{7}\*\*ACE\*\*", "an ace archive", "unace x"),
        (rb"ArC\x01", "a FreeArc archive", "arc x"),
        (rb".{20}\xdc\xa7\xc4\xfd", "a zoo archive", "zoo x"),
        (rb"\x60\xea.{2}[\x1e-\x2b]", "an arj archive", "arj x"),
        (rb"0707(?:01|02|07)[0-9A-Fa-f]{8}", "a cpio archive", "cpio -i"),
        (rb"!<arch>\n", "an ar archive", "ar x"),
        (rb"\xed\xab\xee\xdb[\x03\x04]", "an rpm package", "rpm2cpio"),
        (rb"\x3a\xff\x26\xed\x01\0", "an Android sparse image", "simg2img"),
        (rb"(?:EVF|LVF)\x09\x0d\x0a\xff\0", "a forensic image (EWF)", "ewfexport"),
        (rb"partclone-image", "an image of partclone", "partclone.restore"),
        (rb"PaRtImAgE-VoLuMe", "an image of partimage", "partimage restore"),
        (rb"VMA\0\0\0\0\x01", "a backup of Proxmox (vma)", "vma extract"),
    )
)
_DOCUMENTS: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"%PDF-\d\.\d"), "a PDF document"),
    (re.compile(rb"\0\0[\0-\x04].ftyp[ -~]{4}", re.DOTALL), "an MP4 video"),
)
_OVA = re.compile(rb"[^\0]*\.(?:ovf|vmdk|mf)\0|(?:\./)?ova\.xml\0", re.IGNORECASE)
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
    start = behind_skippable(head)  # lz4 has the skippable frames of zstd
    for pattern, kind, tool in _PACKINGS:
        if pattern.match(head, start):
            return Packing(kind, f"unpack it first ({tool})")
    if head.startswith(b"ustar", 0x101) and _OVA.match(head[:100]):
        name = printable(head[:100].partition(b"\0")[0], _LINE)
        advice = "take the disk out of it (tar -xf), or have its files unpacked with contentType: archive (--archive)"
        return Packing(f"an OVA (a tar archive that begins with {name!r})", advice)
    return None


def refuse_unread_formats(head: bytes) -> None:
    """ImageUnsupported for a disk image of a format that qemu-img reads and this program does not."""
    if _bears_a_disk_sign(head):
        return
    for pattern, format, feature in _IMAGES:
        if pattern.match(head):
            raise Fault("ImageUnsupported", format=format, feature=feature)


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
