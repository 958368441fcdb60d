"""What is said of something that waits is asked for seldom, whatever happens to it and however much waits."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from cdi.controllers.population.complaints import Complaints
from cdi.kube.client import Client
from cdi.kube.errors import Unreachable
from cdi.kube.objects import Event, Metadata
from cdi.kube.store import Key


class Events:
    """Says the next of ``texts`` whenever it is asked, and then the last one again and again."""

    def __init__(self, *texts: str | Exception) -> None:
        self.texts = list(texts)
        self.asked = 0
        self.now = 0.0
        self.complaints = Complaints(cast(Client, self), clock=lambda: self.now)

    async def some(self, resource: object, count: int, **selection: Any) -> list[Event]:
        self.asked += 1
        text = self.texts.pop(0) if len(self.texts) > 1 else self.texts[0]
        if isinstance(text, Exception):
            raise text
        return [Event(message=text)] if text else []

    def newest(self, name: str = "disk", uid: str = "u", phase: str = "Pending", pause_s: float = 10.0) -> str:
        about = Metadata(name=name, namespace="vms", uid=uid)
        found = asyncio.run(self.complaints.newest(Key("vms", name), about, phase, pause_s))
        return found.message if found is not None else ""


def test_it_is_remembered_until_the_pause_is_over() -> None:
    events = Events("first", "second")
    for _ in range(50):
        assert events.newest() == "first"
        events.now += 0.1
    assert events.asked == 1
    events.now = 10.0
    assert events.newest() == "second"


def test_nothing_said_is_remembered_too() -> None:
    events = Events("")
    assert [events.newest() for _ in range(10)] == [""] * 10
    assert events.asked == 1


def test_another_object_or_phase_is_asked_about_at_once() -> None:
    events = Events("pending", "bound", "another")
    assert events.newest() == "pending"
    assert events.newest(phase="Bound") == "bound"
    assert events.newest(uid="v") == "another"


def test_an_answer_that_fails_keeps_what_was_known_and_is_not_asked_for_again_at_once() -> None:
    events = Events("known", Unreachable("down"))
    assert events.newest() == "known"
    events.now = 11.0
    assert [events.newest() for _ in range(5)] == ["known"] * 5
    assert events.asked == 2


def test_what_is_forgotten_is_asked_for() -> None:
    events = Events("first", "second")
    events.newest()
    events.complaints.forget(Key("vms", "disk"))
    assert events.newest() == "second"


def test_a_crowd_that_waits_is_asked_about_at_a_bounded_pace() -> None:
    events = Events("slow")
    for second in range(5):
        events.now = float(second)
        for number in range(200):
            events.newest(f"disk-{second}-{number}")
    assert events.asked <= 30 + 5 * 5
