"""A set of byte ranges: sorted, disjoint, merged. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator


class RangeSet:  # noqa: PLW1641  it changes, so it has no hash
    """Ranges are half open, [start, end). Adding costs a binary search and a shift of the list behind."""

    def __init__(self, ranges: Iterable[tuple[int, int]] = ()) -> None:
        self._starts: list[int] = []
        self._ends: list[int] = []
        self.total = 0  # bytes in the set
        for start, end in ranges:
            self.add(start, end)

    def __iter__(self) -> Iterator[tuple[int, int]]:
        return zip(self._starts, self._ends, strict=True)

    def __len__(self) -> int:
        """Number of ranges."""
        return len(self._starts)

    @property
    def end(self) -> int:
        """Where the last range ends; 0 of an empty set."""
        return self._ends[-1] if self._ends else 0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, RangeSet) and (self._starts, self._ends) == (other._starts, other._ends)

    def __repr__(self) -> str:
        return f"RangeSet({list(self)})"

    def add(self, start: int, end: int) -> None:
        if start >= end:
            return
        first, last = self._touching(start, end)
        if first < last:
            start, end = min(start, self._starts[first]), max(end, self._ends[last - 1])
        self._replace(first, last, [(start, end)])

    def update(self, ranges: Iterable[tuple[int, int]]) -> None:
        for start, end in ranges:
            self.add(start, end)

    def remove(self, start: int, end: int) -> None:
        if start >= end:
            return
        first, last = self._touching(start, end)
        if first == last:
            return
        left, right = (self._starts[first], start), (end, self._ends[last - 1])
        self._replace(first, last, [piece for piece in (left, right) if piece[0] < piece[1]])

    def missing(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """The parts of [start, end) that are not in the set, in order."""
        index = bisect_right(self._ends, start)
        while start < end and index < len(self._starts) and self._starts[index] < end:
            if self._starts[index] > start:
                yield start, self._starts[index]
            start = self._ends[index]
            index += 1
        if start < end:
            yield start, end

    def covers(self, start: int, end: int) -> bool:
        return not any(self.missing(start, end))

    def reach(self, start: int) -> int:
        """Up to where everything from ``start`` on is in the set; ``start`` when nothing is."""
        index = bisect_right(self._starts, start) - 1
        return start if index < 0 else max(start, self._ends[index])

    def _touching(self, start: int, end: int) -> tuple[int, int]:
        """Indices [first, last) of the ranges that overlap or adjoin [start, end)."""
        return bisect_left(self._ends, start), bisect_right(self._starts, end)

    def _replace(self, first: int, last: int, pieces: list[tuple[int, int]]) -> None:
        for index in range(first, last):
            self.total -= self._ends[index] - self._starts[index]
        self._starts[first:last] = [start for start, _ in pieces]
        self._ends[first:last] = [end for _, end in pieces]
        self.total += sum(end - start for start, end in pieces)
