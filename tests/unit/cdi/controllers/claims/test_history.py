from __future__ import annotations

from cdi.api.datavolume import Attempt
from cdi.controllers.claims.history import BROKEN_OFF, attempts_in, recorded


def attempt(second: int) -> Attempt:
    return Attempt(f"2026-01-01T00:00:{second:02}Z", f"2026-01-01T00:00:{second + 1:02}Z", "SourceNotFound", "node-1")


def test_an_attempt_whose_end_is_seen_again_is_recorded_once() -> None:
    once = recorded("", attempt(1))
    assert recorded(once, attempt(1)) == once
    assert attempts_in(recorded(once, attempt(2))) == [attempt(1), attempt(2)]


def test_a_restart_within_the_same_second_is_another_attempt() -> None:
    failed, healed = attempt(1), Attempt(attempt(1).start, attempt(2).end, "Succeeded", "node-1")
    annotation = recorded(recorded("", failed), healed)
    assert attempts_in(annotation) == [failed, healed]
    assert recorded(annotation, healed) == annotation


def test_a_deleted_pod_ends_once() -> None:
    broken_off, told = Attempt(attempt(1).start, "", BROKEN_OFF, "node-1"), attempt(1)
    assert attempts_in(recorded(recorded("", broken_off), told)) == [told]


def test_the_last_five_are_kept() -> None:
    annotation = ""
    for second in range(0, 20, 2):
        annotation = recorded(annotation, attempt(second))
    assert attempts_in(annotation) == [attempt(second) for second in range(10, 20, 2)]


def test_what_somebody_else_wrote_there_is_replaced() -> None:
    for foreign in ("", "soon", '{"start": 1}', '[{"bytesDone": "many"}]'):
        assert attempts_in(foreign) == []
        assert attempts_in(recorded(foreign, attempt(1))) == [attempt(1)]
