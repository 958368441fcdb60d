"""A set of byte ranges: sorted, disjoint, merged. Pure."""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator

_PAGE = 1024  # ranges that lie together; what is added moves at most so many


class RangeSet:  # noqa: PLW1641  it changes, so it has no hash
    """Ranges are half open, [start, end), within 0 and 2^64. Each takes 16 bytes, in pages that split when they are
    full: adding in random order costs the same from the first to the ten-millionth."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._pages: list[_Page] = []
        self._firsts: list[int] = []  # start of the first range of each page
        self._count = 0
        self.total = 0  # bytes in the set
        self.update(ranges)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        for page in self._pages:
            yield from zip(page.starts, page.ends, strict=True)

    def __len__(self) -> int:
        """Number of ranges."""
        return self._count

    @property
    def end(self) -> int:
        """Where the last range ends; 0 of an empty set."""
        return self._pages[-1].ends[-1] if self._pages else 0

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, RangeSet) or len(self) != len(other):
            return False
        return all(mine == theirs for mine, theirs in zip(self, other, strict=True))

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        touched = self._take(start, end)
        if touched is not None:
            start, end = min(start, touched[0]), max(end, touched[1])
        self._put([(start, end)])

    def update(self, ranges: Iterable[tuple[int, int]]) -> None:
        for start, end in ranges:
            self.add(start, end)

    def remove(self, start: int, end: int) -> None:
        if start >= end:
            return
        touched = self._take(start, end)
        if touched is not None:
            left, right = (touched[0], start), (end, touched[1])
            self._put([piece for piece in (left, right) if piece[0] < piece[1]])

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) that are not in the set, in order."""
        for low, high in self._from(start):
            if low >= end or start >= end:
                break
            if low > start:
                yield start, low
            start = max(start, high)
        if start < end:
            yield start, end

    def covers(self, start: int, end: int) -> bool:
        return not any(self.missing(start, end))

    def reach(self, start: int) -> int:
        """Up to where everything from ``start`` on is in the set; ``start`` when nothing is."""
        low, high = next(self._from(start), (start, start))
        return high if low <= start else start

    def _from(self, position: int) -> Iterator[tuple[int, int]]:
        """The ranges that end behind ``position``, in order."""
        number = max(0, bisect_right(self._firsts, position) - 1)
        if number < len(self._pages):
            page = self._pages[number]
            index = bisect_right(page.ends, position)
            yield from zip(page.starts[index:], page.ends[index:], strict=True)
        for later in range(number + 1, len(self._pages)):
            yield from zip(self._pages[later].starts, self._pages[later].ends, strict=True)

    def _take(self, start: int, end: int) -> tuple[int, int] | None:
        """Take out the ranges that overlap or adjoin [start, end), and say from where to where they reached."""
        number = max(0, bisect_left(self._firsts, start) - 1)
        low = high = None
        while number < len(self._pages) and self._firsts[number] <= end:
            page = self._pages[number]
            first, last = bisect_left(page.ends, start), bisect_right(page.starts, end)
            if first < last:
                low = page.starts[first] if low is None else low
                high = page.ends[last - 1]
                self._count -= last - first
                self.total -= sum(page.ends[first:last]) - sum(page.starts[first:last])
                page.replace(first, last, [])
            if page.starts:
                self._firsts[number] = page.starts[0]
                number += 1
            else:
                del self._pages[number], self._firsts[number]
        return None if low is None or high is None else (low, high)

    def _put(self, pieces: list[tuple[int, int]]) -> None:
        """Add ranges, in order, that touch nothing and have nothing between them."""
        if not pieces:
            return
        if not self._pages:
            self._pages, self._firsts = [_Page()], [pieces[0][0]]
        number = max(0, bisect_right(self._firsts, pieces[0][0]) - 1)
        page = self._pages[number]
        place = bisect_left(page.starts, pieces[0][0])
        page.replace(place, place, pieces)
        self._firsts[number] = page.starts[0]
        self._count += len(pieces)
        self.total += sum(end - start for start, end in pieces)
        if len(page.starts) > _PAGE:
            behind = page.split()
            self._pages.insert(number + 1, behind)
            self._firsts.insert(number + 1, behind.starts[0])


class _Page:
    """Ranges that follow one another, as columns."""

    __slots__ = ("ends", "starts")

    def __init__(self) -> None:
        self.starts = array("Q")
        self.ends = array("Q")

    def replace(self, first: int, last: int, pieces: list[tuple[int, int]]) -> None:
        self.starts[first:last] = array("Q", (start for start, _ in pieces))
        self.ends[first:last] = array("Q", (end for _, end in pieces))

    def split(self) -> _Page:
        """Keep the first half; a page with the other one."""
        half, behind = len(self.starts) // 2, _Page()
        behind.starts, behind.ends = self.starts[half:], self.ends[half:]
        del self.starts[half:], self.ends[half:]
        return behind
