"""The writing thread, and what its end waits for."""

from __future__ import annotations

import threading

import pytest

from importer.fetch.crew import Crew
from importer.routes.writer import Filled, Writer


def test_an_abandoned_writer_has_ended_however_long_its_storage_took(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it writes later would be written into the next attempt."""
    monkeypatch.setattr(Crew, "wait", lambda _self, _timeout_s: False)  # as if any time had passed
    order: list[str] = []
    stalled, goes_on = threading.Event(), threading.Event()

    def write(_filled: Filled) -> None:
        stalled.set()
        goes_on.wait()
        order.append("written")

    writer = Writer(write, 4096)
    writer.submit(Filled(0, writer.take(), 4096, None))
    writer.submit(Filled(4096, writer.take(), 4096, None))

    def abandon() -> None:
        writer.abandon()
        order.append("abandoned")

    thread = threading.Thread(target=abandon)
    stalled.wait()
    thread.start()
    thread.join(0.05)
    goes_on.set()
    thread.join()
    assert order == ["written", "abandoned"]
