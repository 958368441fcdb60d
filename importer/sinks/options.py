"""How a target shall be written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """``resume``: keep what an earlier process wrote until ``go_on`` or ``start_anew`` is called.

    ``preallocate``: every byte of the disk has its place reserved.
    ``unaligned``: writes may be smaller than 4 KiB (qcow2 with 512-byte clusters), so the page cache is used.
    ``direct``: past the page cache where the storage can.
    """

    resume: bool = False
    preallocate: bool = False
    unaligned: bool = False
    direct: bool = True


DEFAULT = SinkOptions()
