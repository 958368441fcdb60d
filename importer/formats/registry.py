"""From a format's name, as ``magic.recognise`` gives it, to its parser."""

from __future__ import annotations

from collections.abc import Callable

from importer.formats import Image, ReadAt
from importer.formats.qcow2 import Qcow2
from importer.formats.raw import Raw
from importer.formats.vdi import Vdi
from importer.formats.vhd import open_vhd
from importer.formats.vhdx import Vhdx
from importer.formats.vmdk import Vmdk

_PARSERS: dict[str, Callable[[ReadAt, int], Image]] = {
    "raw": Raw,
    "qcow2": Qcow2,
    "vmdk": Vmdk,
    "vdi": Vdi,
    "vhd": open_vhd,
    "vhdx": Vhdx,
}


def open_image(format: str, read_at: ReadAt, size: int) -> Image:
    """The image in a file of ``size`` bytes: header checked, tables not read yet. Raises Fault for every refusal."""
    return _PARSERS[format](read_at, size)
