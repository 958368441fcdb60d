"""Where a stream goes on after a kill: direct writes begin at pages, and members end wherever they end."""

from __future__ import annotations

from types import SimpleNamespace
from typing import cast

import pytest

from importer.fetch.journal import Frame, Kept
from importer.fetch.rangeset import RangeSet
from importer.plan import Resumes
from importer.routes.job import Job
from importer.routes.stream import _where_to_start


def start(resumes: Resumes, written: int, frame: Frame | None = None, head: int = 0) -> tuple[int, int]:
    ranges = RangeSet()
    ranges.add(head, written)
    kept = Kept(ranges, frame, head)
    return _where_to_start(cast(Job, SimpleNamespace(plan=SimpleNamespace(resumes=resumes), kept=kept)))


@pytest.mark.parametrize(
    ("plain", "written", "begins"),
    [(8192, 8192, True), (8193, 12288, True), (8193, 12287, False), (12288, 12288, True), (8191, 8192, True)],
)
def test_a_frame_is_a_start_when_the_page_it_ends_in_is_written(plain: int, written: int, begins: bool) -> None:
    assert start(Resumes.FRAME, written, (100, plain)) == ((100, plain) if begins else (0, 0))


def test_without_a_frame_a_packed_stream_starts_at_the_first_byte() -> None:
    assert start(Resumes.FRAME, 8192) == (0, 0)


@pytest.mark.parametrize(("written", "head", "begin"), [(8192, 0, 8192), (8193, 0, 8192), (4096, 4096, 0), (0, 0, 0)])
def test_a_prefix_goes_on_at_a_page_behind_the_head(written: int, head: int, begin: int) -> None:
    assert start(Resumes.PREFIX, written, head=head) == (begin, begin)


def test_what_cannot_go_on_starts_at_the_first_byte() -> None:
    assert start(Resumes.NOTHING, 8192, (100, 8192)) == (0, 0)
