"""The text descriptor inside a VMDK: it must describe this one file and nothing else. Pure."""

from __future__ import annotations

import re

from cdi.base.faults import Fault
from importer.formats.window import printable

_TYPES = {"monolithicsparse", "streamoptimized"}
_SETTING = re.compile(r'^\s*([A-Za-z.]+)\s*=\s*"?([^"\n]*?)"?\s*$', re.MULTILINE)
_EXTENT = re.compile(r'^\s*(RW|RDONLY|NOACCESS)\s+(\d+)\s+(\S+)(?:\s+"([^"\n]*)")?', re.MULTILINE)
_NO_PARENT = "ffffffff"


def check_descriptor(raw: bytes) -> None:
    """Refuses a descriptor that names a parent, another file, or a subformat without grains of its own."""
    text = raw.split(b"\0")[0].decode("utf-8", "replace").replace("\r", "\n")
    settings = {name.lower(): value for name, value in _SETTING.findall(text)}
    if settings.get("parentcid", _NO_PARENT).lower() != _NO_PARENT or "parentfilenamehint" in settings:
        reference = printable(settings.get("parentfilenamehint", "unnamed"))
        raise Fault("ImageHasBackingFile", format="vmdk", reference=reference)
    extents = _EXTENT.findall(text)
    # The one extent is this file under whatever name it had; a path would be another one.
    foreign = [name for _, _, kind, name in extents if kind.upper() != "SPARSE" or "/" in name or "\\" in name]
    if foreign or len(extents) > 1:
        raise Fault("ImageHasExternalData", format="vmdk", reference=printable((foreign or [extents[1][3]])[0]))
    kind = settings.get("createtype", "")
    if kind.lower() not in _TYPES:
        raise Fault("ImageUnsupported", format="vmdk", feature=f"the subformat {printable(kind)!r}")
