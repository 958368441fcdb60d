"""Tells flakes from faults: what fails against real servers is run once more, by itself, when all others have ended.

A test on the cluster or against real servers shares the machine with others, and may fail for what they did. If it
passes by itself, it is a flake: it is named above pytest's summary, and the run passes if nothing else failed. Tests
that are pure, use only this machine's storage, or draw their inputs (tests/fuzz: the next draw may miss the fault) are
never run again. More than three flakes fail the run: then the machine or the tests are not to be trusted.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import pytest

OPTION = "--tell-flakes"
MOST = 3
_SHARED = ("tests/cluster/", "tests/component/")


@dataclass(frozen=True, slots=True)
class Failure:
    """One failed test: its node id, the first line of why, and whether another run of it may tell more."""

    test: str
    line: str
    again: bool


@dataclass(frozen=True, slots=True)
class Verdict:
    """Which failures were flakes, and the exit code that the run ends with."""

    flakes: tuple[Failure, ...]
    code: int


def judge(failures: Iterable[Failure], passes: Callable[[str], bool]) -> Verdict:
    """``passes`` runs one test by itself. It is not asked when more failed than may be flakes."""
    found = list(failures)
    candidates = [each for each in found if each.again]
    flakes = tuple(each for each in candidates if passes(each.test)) if len(candidates) <= MOST else ()
    return Verdict(flakes, pytest.ExitCode.OK if len(flakes) == len(found) else pytest.ExitCode.TESTS_FAILED)


@dataclass
class Flakes:
    """The plugin. It looks at reports in the process that prints them, whichever process ran the test."""

    config: pytest.Config
    verdict: Verdict | None = None
    _failures: dict[str, Failure] = field(default_factory=dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed and report.nodeid not in self._failures:
            again = report.nodeid.startswith(_SHARED)
            self._failures[report.nodeid] = Failure(report.nodeid, _first_line(report), again)

    @pytest.hookimpl(trylast=True)  # the processes that ran the tests have ended
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        if session.exitstatus != pytest.ExitCode.TESTS_FAILED or not self._failures:
            return  # passed, or was broken off: there is nothing to tell
        self.verdict = judge(self._failures.values(), self._passes_alone)
        session.exitstatus = self.verdict.code
        self._count_as_flaky({each.test for each in self.verdict.flakes})

    def _passes_alone(self, test: str) -> bool:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", test]
        ended = subprocess.run(
            command, cwd=self.config.rootpath, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
        )
        passed = ended.returncode == pytest.ExitCode.OK
        if not passed:
            self._write_line(f"FAILED AGAIN: {test}, exit code {ended.returncode} by itself", ended.stdout)
        return passed

    def _count_as_flaky(self, tests: set[str]) -> None:
        """The summary counts what was told as flaky neither as failed nor as an error."""
        stats = self._terminal().stats
        for outcome in ("failed", "error"):
            told = [report for report in stats.get(outcome, []) if report.nodeid in tests]
            stats[outcome] = [report for report in stats.get(outcome, []) if report.nodeid not in tests]
            stats.setdefault("flaky", []).extend(told)
        for outcome in [name for name, reports in stats.items() if not reports]:
            del stats[outcome]

    def pytest_terminal_summary(self) -> None:
        flakes = self.verdict.flakes if self.verdict else ()
        if (many := sum(each.again for each in self._failures.values())) > MOST:
            self._write_line(f"{many} tests failed against real servers, more than {MOST}: none was run again.")
        for report in self._terminal().stats.get("flaky", []):
            self._write_line(f"{report.nodeid} failed beside others, and passes by itself:", report.longreprtext)
        for each in flakes:
            self._write_line(f"FLAKY: {each.test}, {each.line}")

    def _terminal(self) -> pytest.TerminalReporter:
        found = self.config.pluginmanager.getplugin("terminalreporter")
        assert isinstance(found, pytest.TerminalReporter)
        return found

    def _write_line(self, line: str, more: str = "") -> None:
        self._terminal().ensure_newline()
        self._terminal().write_line(line)
        if more:
            self._terminal().write_line(more)


def _first_line(report: pytest.TestReport) -> str:
    """What went wrong, in one line: the message of the exception, without the traceback."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash else report.longrepr).strip()
    return text.splitlines()[0] if text else report.when or ""


def register(config: pytest.Config) -> None:
    """Once in a run: in the process that starts and hears the others."""
    if config.getoption(OPTION) and "PYTEST_XDIST_WORKER" not in os.environ:
        config.pluginmanager.register(Flakes(config), "flakes")


def add_option(parser: pytest.Parser) -> None:
    parser.addoption(OPTION, action="store_true", help="run what fails against real servers once more, by itself")
