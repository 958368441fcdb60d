"""docs/compatibility.md names tests: they exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "compatibility.md").read_text()
_CELL = re.compile(r"([\w/.]+\.py)((?:::test_\w+(?:, )?)*)")


def _named() -> list[tuple[str, str]]:
    found = []
    for path, tests in _CELL.findall(TEXT):
        found += [(path, name) for name in re.findall(r"test_\w+", tests)] or [(path, "")]
    return sorted(set(found))


def _file(path: str) -> Path:
    direct = ROOT / path
    return direct if direct.exists() else ROOT / "tests" / "cluster" / "system" / path


@pytest.mark.parametrize(("path", "name"), _named())
def test_what_is_named_exists(path: str, name: str) -> None:
    assert _file(path).is_file()
    assert not name or f"def {name}(" in _file(path).read_text()


def test_directories_that_are_named_exist() -> None:
    for path in re.findall(r"tests/[\w/]+(?=[;,. |])", TEXT):
        assert (ROOT / path).exists() or (ROOT / f"{path}.py").exists(), path
