"""A crew of threads: all are awaited, whatever became of one."""

from __future__ import annotations

import threading

import pytest

from importer.fetch.crew import Crew


def test_the_first_error_is_raised_when_all_have_ended() -> None:
    crew, go, order = Crew(), threading.Event(), list[str]()

    def fail() -> None:
        raise OSError("first")

    def late() -> None:
        go.wait()
        order.append("late")

    crew.start("late", late)
    crew.start("fail", fail)
    assert crew.wait(60)
    go.set()
    with pytest.raises(OSError, match="first"):
        crew.join()
    assert order == ["late"]


def test_those_that_run_are_awaited_where_the_system_takes_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container with a limit of processes."""
    crew, go, order = Crew(), threading.Event(), list[str]()

    def late() -> None:
        go.wait()
        order.append("late")

    def refused(_thread: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    crew.start("late", late)
    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refused)
        with pytest.raises(RuntimeError, match="can't start"):
            crew.start("one too many", late)
    assert crew.size == 1
    go.set()
    crew.join()
    assert order == ["late"]
