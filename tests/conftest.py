"""Which tests run beside each other, and which of the long ones run at all.

Those marked ``slow`` are dealt into four slices, and a run takes one of them. One that is marked ``alone`` waits until
no other test runs, and the others wait for it: it stops what all use, or measures what a busy machine would change.
"""

from __future__ import annotations

import datetime
import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from support import flakes

_SLICES = 4
_CHOICE = pytest.StashKey[str]()
# Of all test runs that use one test cluster.
_TURNS = Path(tempfile.gettempdir(), f"{os.environ.get('CDI_BED') or 'cdi-bed'}-tests-{os.geteuid()}.lock")


# A machine that four test processes share may take its time over one example, or over drawing it; what failed is
# printed so that it can be repeated.
settings.register_profile("project", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True)
settings.load_profile("project")


def pytest_addoption(parser: pytest.Parser) -> None:
    flakes.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    flakes.register(config)
    day = datetime.datetime.now(datetime.UTC).timetuple().tm_yday
    choice = os.environ.get("SLICE") or str(day % _SLICES)
    if choice != "all" and choice not in map(str, range(_SLICES)):
        raise pytest.UsageError(f"SLICE={choice}: give 0 to {_SLICES - 1}, or all")
    config.stash[_CHOICE] = choice
    os.environ["SLICE"] = choice  # its workers inherit it: one run has one slice, also at midnight


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are no name: gzip writes the time into its own, and two workers would collect different tests."""
    return argname if isinstance(val, bytes | bytearray) else None


def pytest_report_header(config: pytest.Config) -> str:
    choice = config.stash[_CHOICE]
    return "long tests: all" if choice == "all" else f"long tests: slice {choice} of {_SLICES} (SLICE=all for all)"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=_is_alone)  # what waits for everybody else comes last
    if config.stash[_CHOICE] == "all" or _names_a_test(config):
        return
    resting = {item for item in items if item.get_closest_marker("slow") and not _is_chosen(config, item)}
    config.hook.pytest_deselected(items=[item for item in items if item in resting])
    items[:] = [item for item in items if item not in resting]


@pytest.hookimpl(wrapper=True, tryfirst=True)  # before the timeout of the test begins
def pytest_runtest_protocol(item: pytest.Item) -> Iterator[None]:
    with _TURNS.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX if _is_alone(item) else fcntl.LOCK_SH)
        return (yield)


def _is_alone(item: pytest.Item) -> bool:
    return item.get_closest_marker("alone") is not None


def _names_a_test(config: pytest.Config) -> bool:
    """Whoever types a test's file or name wants to see it run."""
    return any(".py" in argument for argument in config.args)


def _is_chosen(config: pytest.Config, item: pytest.Item) -> bool:
    # A hash of the name: a new test moves no other one into another slice.
    number = hashlib.sha256(item.nodeid.encode()).digest()[0] % _SLICES
    return str(number) == config.stash[_CHOICE]
