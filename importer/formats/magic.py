"""What the first bytes say: the format of an image, or that it is no image but a page."""

from __future__ import annotations

import re

from cdi.base.faults import Fault
from cdi.base.units import KiB
from importer.decode.zstd_frame import behind_skippable
from importer.formats.window import printable

_MAGIC: tuple[tuple[int, bytes, str], ...] = (
    (0, b"\x1f\x8b", "gz"),
    (0, b"\x28\xb5\x2f\xfd", "zst"),
    (0, b"\xfd7zXZ\0", "xz"),
    (0, b"QFI\xfb", "qcow2"),
    (0, b"KDMV", "vmdk"),
    (0x40, b"\x7f\x10\xda\xbe", "vdi"),
    (0, b"conectix", "vhd"),  # dynamic; a fixed VHD has its footer at the end and looks raw
    (0, b"vhdxfile", "vhdx"),
    (0x101, b"ustar", "tar"),
)
_DESCRIPTOR = re.compile(rb"(?:\xef\xbb\xbf)?\s*#\s*Disk\s*Descriptor\s*File", re.IGNORECASE)
_LUKS = b"LUKS\xba\xbe"
_PAGE_HEAD = 4 * KiB
_BLANK = b" \t\r\n\f\v"
_PAGES: tuple[tuple[re.Pattern[bytes], str], ...] = (
    (re.compile(rb"(?i)<(?:!doctype\s+html|html|head|body|title|script|meta|div|h1|p|center)\b"), "an HTML page"),
    (re.compile(rb"(?i)<(?:\?xml|!doctype|!--|[a-z_][\w.:-]*[\s/>])"), "an XML document"),
    (re.compile(rb"\{\s*[\"}]|\[\s*[\[{\"\]\d-]"), "a JSON document"),
)


def recognise(head: bytes) -> str:
    """One of gz, zst, xz, qcow2, vmdk, vdi, vhd, vhdx, tar, raw, from the first 512 bytes or more. Names never count.

    Raises at once for what no route can import: a VMDK that is only a text naming other files (ImageHasExternalData)
    and a LUKS container (ImageEncrypted).
    """
    for offset, magic, name in _MAGIC:
        if head.startswith(magic, offset):
            return name
    start = behind_skippable(head)  # pzstd puts a skippable frame before each; lz4 has the same ones
    if start and (start >= len(head) or head.startswith(b"\x28\xb5\x2f\xfd", start)):
        return "zst"
    if _DESCRIPTOR.match(head):
        raise Fault("ImageHasExternalData", format="vmdk", reference=_first_extent(head))
    if head.startswith(_LUKS):
        raise Fault("ImageEncrypted", format="raw", method="LUKS")
    return "raw"


def _first_extent(descriptor: bytes) -> str:
    match = re.search(rb'^(?:RW|RDONLY|NOACCESS)\s[^"\n]*"([^"\n]*)"', descriptor, re.MULTILINE)
    return printable(match.group(1)) if match else ""


def looks_like_a_page(head: bytes) -> tuple[str, str] | None:
    """(what it is, its first line) when the content is text that begins like HTML, XML or JSON; else None.

    Only sure signs count, since anything else is a raw disk: 4 KiB of text without NUL behind such a beginning.
    """
    text = head[:_PAGE_HEAD]
    body = text.removeprefix(b"\xef\xbb\xbf").lstrip(_BLANK)
    if not body or not _is_text(text):
        return None
    for pattern, words in _PAGES:
        if pattern.match(body):
            return _kind(text, words), printable(body.splitlines()[0])
    return None


def _is_text(head: bytes) -> bool:
    return all(byte >= 0x20 or byte in b"\t\r\n\f\v\x1b" for byte in head)


def _kind(head: bytes, fallback: str) -> str:
    """libmagic's words when it is installed and has any."""
    try:
        import magic
    except ImportError:  # the module, or the C library behind it
        return fallback
    try:
        found = str(magic.from_buffer(head))
    except magic.MagicException:
        return fallback
    return found if "HTML" in found or "XML" in found or "JSON" in found else fallback
