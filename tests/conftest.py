"""Which of the long tests run: those marked ``slow`` are dealt into four slices, and a run takes one of them."""

from __future__ import annotations

import datetime
import hashlib
import os

import pytest

_SLICES = 4
_CHOICE = pytest.StashKey[str]()


def pytest_configure(config: pytest.Config) -> None:
    day = datetime.datetime.now(datetime.UTC).timetuple().tm_yday
    choice = os.environ.get("SLICE") or str(day % _SLICES)
    if choice != "all" and choice not in map(str, range(_SLICES)):
        raise pytest.UsageError(f"SLICE={choice}: give 0 to {_SLICES - 1}, or all")
    config.stash[_CHOICE] = choice


def pytest_report_header(config: pytest.Config) -> str:
    choice = config.stash[_CHOICE]
    return "long tests: all" if choice == "all" else f"long tests: slice {choice} of {_SLICES} (SLICE=all for all)"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.stash[_CHOICE] == "all" or _names_a_test(config):
        return
    resting = {item for item in items if item.get_closest_marker("slow") and not _is_chosen(config, item)}
    config.hook.pytest_deselected(items=[item for item in items if item in resting])
    items[:] = [item for item in items if item not in resting]


def _names_a_test(config: pytest.Config) -> bool:
    """Whoever types a test's file or name wants to see it run."""
    return any(".py" in argument for argument in config.args)


def _is_chosen(config: pytest.Config, item: pytest.Item) -> bool:
    # A hash of the name: a new test moves no other one into another slice.
    number = hashlib.sha256(item.nodeid.encode()).digest()[0] % _SLICES
    return str(number) == config.stash[_CHOICE]
