"""A run that tells flakes from faults, as ``make test`` does it: pytest in a directory of its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

_CONFTEST = """
from support import flakes
def pytest_addoption(parser): flakes.add_option(parser)
def pytest_configure(config):
    flakes.register(config)
"""
# Fails in the first process that runs it, and passes in the next: `seen` is what the first one leaves behind.
_FIRST_TIME_ONLY = """
import pathlib, pytest
@pytest.mark.parametrize("number", range({count}))
def test_of_the_network(number):
    seen = pathlib.Path(__file__).with_suffix(f".{{number}}")
    if not seen.exists():
        seen.touch()
        raise ConnectionResetError(f"peer {{number}} went away\\nmore")
"""
_ALWAYS = "def test_that_is_wrong():\n    assert 1 == 2\n"
_TEARDOWN = """
import pathlib, pytest
@pytest.fixture
def server():
    yield
    seen = pathlib.Path(__file__).with_suffix(".seen")
    if not seen.exists():
        seen.touch()
        raise TimeoutError("it does not end")
def test_with_a_server(server): pass
"""


class Project:
    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "conftest.py").write_text(_CONFTEST)
        (path / "pytest.ini").write_text("[pytest]\naddopts = --import-mode=importlib -ra\n")

    def add(self, name: str, text: str) -> None:
        (self.path / name).parent.mkdir(parents=True, exist_ok=True)
        (self.path / name).write_text(text)

    def run(self, *options: str) -> tuple[int, list[str]]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
        ended = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
            cwd=self.path,
            env={**kept, "PYTHONPATH": str(Path(__file__).parents[1])},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        return ended.returncode, ended.stdout.splitlines()


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(tmp_path)


def flaky_lines(lines: list[str]) -> list[str]:
    return [line for line in lines if line.startswith("FLAKY: ")]


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_test_that_passes_by_itself_is_a_flake_and_the_run_passes(project: Project, processes: str) -> None:
    project.add("tests/cluster/test_a.py", _FIRST_TIME_ONLY.format(count=1))
    code, lines = project.run("--tell-flakes", "-n", processes)
    assert code == 0
    assert lines[-2:][0] == (
        "FLAKY: tests/cluster/test_a.py::test_of_the_network[0], ConnectionResetError: peer 0 went away"
    )
    assert re.fullmatch(r"=+ 1 flaky in .*=+", lines[-1])


def test_a_teardown_that_fails_once_is_a_flake(project: Project) -> None:
    project.add("tests/component/test_b.py", _TEARDOWN)
    code, lines = project.run("--tell-flakes")
    assert code == 0
    assert flaky_lines(lines) == ["FLAKY: tests/component/test_b.py::test_with_a_server, TimeoutError: it does not end"]


def test_what_fails_again_fails_the_run_and_both_texts_are_printed(project: Project) -> None:
    project.add("tests/component/test_c.py", _ALWAYS)
    code, lines = project.run("--tell-flakes")
    assert code == 1
    assert not flaky_lines(lines)
    assert "FAILED AGAIN: tests/component/test_c.py::test_that_is_wrong, exit code 1 by itself" in lines
    assert lines[-2] == "FAILED tests/component/test_c.py::test_that_is_wrong - assert 1 == 2"


@pytest.mark.parametrize("name", ["tests/unit/test_d.py", "tests/storage/test_d.py", "tests/fuzz/test_d.py"])
def test_pure_storage_and_fuzz_tests_are_never_run_again(project: Project, name: str) -> None:
    project.add(name, _FIRST_TIME_ONLY.format(count=1))
    code, lines = project.run("--tell-flakes")
    assert code == 1
    assert not flaky_lines(lines)


def test_a_flake_beside_a_fault_is_told_and_the_run_fails(project: Project) -> None:
    project.add("tests/cluster/test_e.py", _FIRST_TIME_ONLY.format(count=1))
    project.add("tests/unit/test_e.py", _ALWAYS)
    code, lines = project.run("--tell-flakes")
    assert code == 1
    assert len(flaky_lines(lines)) == 1


@pytest.mark.parametrize(("count", "code"), [(3, 0), (4, 1)])
def test_more_than_three_flakes_fail_the_run(project: Project, count: int, code: int) -> None:
    project.add("tests/cluster/test_f.py", _FIRST_TIME_ONLY.format(count=count))
    assert project.run("--tell-flakes", "-n", "2")[0] == code


def test_without_the_option_nothing_is_run_again(project: Project) -> None:
    project.add("tests/cluster/test_g.py", _FIRST_TIME_ONLY.format(count=1))
    assert project.run()[0] == 1
