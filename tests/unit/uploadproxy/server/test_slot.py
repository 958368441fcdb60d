"""One upload at a time, and the order in which things end."""

from __future__ import annotations

import threading

import pytest

from cdi.base.faults import Fault
from cdi.base.wire.termination import Termination
from uploadproxy.server import slot
from uploadproxy.server.slot import Slot, Take

DONE = Termination("Upload Complete")


def nothing() -> None:
    """A stop that nobody waits for."""


def test_there_is_one_until_it_is_given_back() -> None:
    slot = Slot()
    assert [slot.take(nothing), slot.take(nothing)] == [Take.TAKEN, Take.BUSY]
    with slot.free():
        assert slot.take(nothing) is Take.TAKEN


def test_when_the_disk_is_there_none_begins_and_the_end_waits_for_the_answer() -> None:
    slot = Slot()
    slot.take(nothing)
    slot.finish()
    assert slot.take(nothing) is Take.FINISHED
    slot.end(DONE)
    assert slot.wait(None) == DONE
    assert slot.take(nothing) is Take.FINISHED


def test_a_failure_that_ends_the_process_is_the_outcome() -> None:
    slot, fault = Slot(), Fault("ScratchRequired")
    slot.take(nothing)
    slot.end(fault)
    assert slot.wait(None) is fault
    assert slot.take(nothing) is Take.CLOSED


def test_a_deadline_without_an_upload_has_no_outcome() -> None:
    slot = Slot()
    assert slot.wait(0) is None
    assert slot.take(nothing) is Take.CLOSED


def test_a_deadline_waits_for_the_one_that_runs_and_takes_no_other() -> None:
    slot, found = Slot(), []
    slot.take(nothing)
    waiting = threading.Thread(target=lambda: found.append(slot.wait(0)))
    waiting.start()
    while slot.take(nothing) is Take.BUSY:
        """Until the deadline has been seen."""
    assert found == []
    slot.end(DONE)
    waiting.join()
    assert found == [DONE]


def test_a_stop_stops_the_one_that_runs_and_the_wait() -> None:
    slot, stopped = Slot(), []

    def stop() -> None:
        stopped.append(True)
        with slot.free():
            """Nobody is told."""

    slot.take(stop)
    slot.stop()
    assert stopped == [True]
    assert slot.wait(None) is None


def test_the_end_waits_until_the_client_of_a_failed_one_has_been_told() -> None:
    slot, found = Slot(), []
    slot.take(nothing)
    with slot.free():
        waiting = threading.Thread(target=lambda: found.append(slot.wait(0)))
        waiting.start()
        while slot.take(nothing) is not Take.CLOSED:
            with slot.free():
                """Until the deadline has been seen."""
        assert found == []
    waiting.join()
    assert found == [None]


class Waiting:
    """What became of it."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def displace(self) -> None:
        self.said.append("displaced")

    def leave(self) -> None:
        self.said.append("left")


def test_the_place_is_kept_between_two_requests_and_given_on_after_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    slot_, one, other = Slot(), Waiting(), Waiting()
    slot_.take(nothing, one)
    slot_.park(one)
    assert [slot_.take(nothing, other), slot_.take(nothing, one)] == [Take.BUSY, Take.TAKEN]
    slot_.park(one)
    monkeypatch.setattr(slot, "QUIET_S", 0.0)
    assert (slot_.take(nothing, other), one.said) == (Take.TAKEN, ["displaced"])
    assert slot_.take(nothing, one) is Take.BUSY
    with slot_.free():
        assert slot_.take(nothing, one) is Take.TAKEN
    assert (one.said, other.said) == (["displaced"], [])


def test_one_that_has_ended_keeps_no_place() -> None:
    slot_, one = Slot(), Waiting()
    slot_.take(nothing, one)
    slot_.park(one)
    slot_.forget(one)
    assert slot_.take(nothing) is Take.TAKEN


def test_when_the_process_ends_one_that_waits_leaves_first() -> None:
    slot_, one = Slot(), Waiting()
    slot_.take(nothing, one)
    slot_.park(one)
    assert (slot_.wait(0), one.said) == (None, ["left"])
    late = Waiting()
    slot_.park(late)
    assert (slot_.wait(0), late.said) == (None, ["left"])
