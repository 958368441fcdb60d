from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from cdi.base.verbosity import log_to_stderr

FORGED = "gone\n2026-01-01 00:00:00,000 INFO root all is well \x1b[2J\u202e"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """The root logger, which is as it was afterwards."""
    found, kept = logging.getLogger(), logging.getLogger().handlers[:]
    level = found.level
    yield found
    found.handlers, found.level = kept, level


def test_what_others_wrote_is_no_record_of_its_own(root: logging.Logger, capsys: pytest.CaptureFixture[str]) -> None:
    root.handlers = []  # as a program finds it at its start: pytest has put its own in
    log_to_stderr(logging.INFO, "%(levelname)s %(message)s")
    root.warning("it is %s", FORGED)
    try:
        raise ValueError(FORGED)
    except ValueError:
        root.exception("a bug")
    said = capsys.readouterr().err
    assert "\x1b" not in said and "\u202e" not in said
    first, second, *traceback = said.splitlines()
    assert first == r"WARNING it is gone\n2026-01-01 00:00:00,000 INFO root all is well \x1b[2J\u202e"
    assert second == "ERROR a bug"
    assert all(line.startswith("    ") for line in traceback) and "ValueError: gone" in said
