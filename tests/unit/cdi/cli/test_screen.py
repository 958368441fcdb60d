"""What a person sees of a transfer: progress in place, warnings above it, and nothing twice."""

from __future__ import annotations

import io

import pytest

from cdi.cli.screen import Bar, Frame, JsonLines, PlainLines

FRAME = Frame("Fetching", "Fetching 10 %", 1.0, '{"stage":"Fetching"}')


def test_a_bar_that_was_drawn_is_left_where_it_is_before_an_error() -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.show(FRAME)
    bar.finish(FRAME, succeeded=False)
    assert out.getvalue() == "\r\x1b[KFetching 10 %\n"


def test_what_failed_before_anything_was_drawn_has_no_line() -> None:
    out = io.StringIO()
    Bar(out).finish(FRAME, succeeded=False)
    PlainLines(out).finish(FRAME, succeeded=False)
    assert out.getvalue() == ""


def test_a_warning_is_above_the_bar() -> None:
    out = io.StringIO()
    bar = Bar(out)
    bar.show(FRAME)
    bar.warn("This is a tar.")
    bar.show(FRAME)
    assert out.getvalue() == "\r\x1b[KFetching 10 %\r\x1b[Knote: This is a tar.\n\r\x1b[KFetching 10 %"


def test_a_program_reads_progress_and_a_person_the_warning(capsys: pytest.CaptureFixture[str]) -> None:
    lines = JsonLines()
    lines.warn("This is a tar.")
    lines.show(FRAME)
    lines.finish(FRAME, succeeded=False)
    assert capsys.readouterr() == ('{"stage":"Fetching"}\n', "note: This is a tar.\n")
