"""Every piece is handled, whoever joins and leaves meanwhile."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import cast

import pytest

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.fetch.governor import Limits
from importer.progress import Progress
from importer.routes import pieces as module
from importer.routes.job import Job
from importer.routes.pieces import Pieces

COUNT = 5000


class Flapping:
    """A governor that changes its mind each time it is asked."""

    def __init__(self, limits: Limits, now: float) -> None:
        self.connections = limits.most
        self._limits = limits

    def sample(self, total_bytes: int, now: float) -> int:
        self.connections = self._limits.least if self.connections == self._limits.most else self._limits.most
        return self.connections


@pytest.fixture
def hurried() -> Iterator[None]:
    """Threads interrupt each other wherever they can."""
    usual = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(usual)


def a_job(limits: Limits, checkpoint: Callable[[], None] = lambda: None) -> Job:
    parts = {"progress": Progress(), "cancel": Cancel(), "connections": limits, "checkpoint_if_due": checkpoint}
    return cast(Job, SimpleNamespace(**parts))


def slowly(count: int) -> Iterator[int]:
    """As one whose tables are read on the way: workers queue for it."""
    for number in range(count):
        time.sleep(0.0001)
        yield number


@pytest.mark.usefixtures("hurried")
@pytest.mark.parametrize("limits", [Limits(1, 8), Limits(2, 4)], ids=str)
def test_no_piece_is_left_when_connections_are_taken_back(limits: Limits, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "Governor", Flapping)
    done: list[int] = []
    Pieces(a_job(limits), slowly(COUNT), lambda piece, _buffer: done.append(piece), 4096).run()
    assert sorted(done) == list(range(COUNT))


def test_as_many_work_as_the_governor_says() -> None:
    limits, together, most = Limits(3, 3), threading.Semaphore(3), []

    def handle(piece: int, _buffer: memoryview) -> None:
        assert together.acquire(blocking=False), "a fourth"
        most.append(together._value)
        time.sleep(0.001)
        together.release()

    Pieces(a_job(limits), iter(range(200)), handle, 4096).run()
    assert min(most) == 0, "all three at once"


def test_the_first_fault_ends_all() -> None:
    done: list[int] = []

    def handle(piece: int, _buffer: memoryview) -> None:
        if piece == 50:
            raise Fault("SourceChanged", source="s", before="a", after="b")
        done.append(piece)

    with pytest.raises(Fault, match="SourceChanged"):
        Pieces(a_job(Limits(2, 2)), slowly(COUNT), handle, 4096).run()
    assert len(done) < COUNT


def test_nobody_works_any_more_when_a_checkpoint_has_failed() -> None:
    """Whoever is told closes the disk."""
    working = threading.Semaphore(0)
    started = threading.Event()

    def handle(piece: int, _buffer: memoryview) -> None:
        working.release()
        started.set()
        time.sleep(0.2)
        assert working.acquire(blocking=False)

    def fails() -> None:
        assert started.wait(10)
        raise Fault("NoSpace", target="disk.img", offset=1, cause="no space left on device")

    with pytest.raises(Fault, match="NoSpace"):
        Pieces(a_job(Limits(2, 2), fails), iter(range(COUNT)), handle, 4096).run()
    assert working._value == 0
