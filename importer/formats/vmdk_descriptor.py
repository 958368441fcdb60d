"""The text descriptor inside a VMDK: it must not make the disk more than this one file. Pure, and linear in its length.

qemu reads nothing of it but the parent when the grains are in the same file. What its one extent is called (the name or
path that the file once had) and which subformat it claims change nothing in what this file holds.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from cdi.base.faults import Fault
from importer.formats.window import printable

_EXTENT = re.compile(r'(?:RW|RDONLY|NOACCESS)\s+\d{1,20}\s+\S+(?:\s+"([^"]*)")?')
_LONGEST = 4096  # characters of a line: a path and some numbers
_NO_PARENT = "ffffffff"


def check_descriptor(raw: bytes) -> None:
    """Refuses a descriptor that names a parent, or more than one extent: then the rest is in other files."""
    settings: dict[str, str] = {}
    extents: list[str] = []
    for line in _lines(raw):
        if match := _EXTENT.match(line):
            extents.append(match[1] or "")
            continue
        name, equals, value = line.partition("=")
        if equals:
            settings[name.strip().lower()] = value.strip().strip('"')
    parent = settings.get("parentcid", _NO_PARENT).lower().removeprefix("0x")
    if parent != _NO_PARENT or "parentfilenamehint" in settings:
        reference = printable(settings.get("parentfilenamehint", "unnamed"))
        raise Fault("ImageHasBackingFile", format="vmdk", reference=reference)
    if len(extents) > 1:
        raise Fault("ImageHasExternalData", format="vmdk", reference=printable(extents[1]))


def _lines(raw: bytes) -> Iterator[str]:
    text = raw.partition(b"\0")[0].decode("utf-8", "replace").replace("\r", "\n")
    return (line[:_LONGEST].strip() for line in text.split("\n"))
