"""Which holes between two extents of a file are read over, so that no byte of it is fetched twice. Pure.

Reading over a hole saves a request, but what lies there may be wanted too: tables, which were read before, and data
that comes later, since extents are taken in batches. What an import fetches in all is bounded: the file and 2 %.
"""

from __future__ import annotations

from collections.abc import Callable

from cdi.base.units import KiB

GAP = 64 * KiB  # a hole in the file smaller than this is cheaper to read over than a new request
_NOTHING = KiB  # no extent worth a thought fits in: padding, and the markers of a packed VMDK
_SHARE = 100  # one hundredth of the file may be read in vain


class Gaps:
    """``size``: bytes of the file. ``overlaps(start, end)``: whether some of that was read before."""

    def __init__(self, size: int, overlaps: Callable[[int, int], bool] = lambda _start, _end: False) -> None:
        self._overlaps = overlaps
        self._left = size // _SHARE

    def bridges(self, start: int, end: int, complete: bool) -> bool:
        """Whether to read over [start, end); counted as read when so. ``complete``: no extent is still to come that
        may lie in there."""
        length = end - start
        if length > GAP:
            return False
        if length < _NOTHING or (complete and not self._overlaps(start, end)):
            return True
        if length > self._left:
            return False
        self._left -= length
        return True


NO_MATTER = Gaps(1 << 62)  # of a file that costs nothing to read
