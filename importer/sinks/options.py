"""How a target shall be written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """``resume``: keep what an earlier process wrote until ``go_on`` or ``start_anew`` is called.

    ``preallocate``: every byte of the disk has its place reserved.
    ``unaligned``: writes may be smaller than 4 KiB (qcow2 with 512-byte clusters), so the page cache is used.
    ``direct``: past the page cache where the storage can.
    ``replace``: a file that has the target's name is replaced; otherwise Fault TargetExists when it is published.
    ``recognise``: whether an unfinished file that is found, given its identity, is ours; None: whoever asks knows.
    ``is_own``: nothing but imports writes there. What is not recognised loses its name and is left; otherwise it is
    refused.
    """

    resume: bool = False
    preallocate: bool = False
    unaligned: bool = False
    direct: bool = True
    replace: bool = True
    recognise: Callable[[str], bool] | None = None
    is_own: bool = False


DEFAULT = SinkOptions()
