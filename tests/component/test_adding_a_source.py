"""docs/adding-a-source.md is true: what it says is done on a copy of this repository, and a disk is imported."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer
from support.importing import ENVIRONMENT, ROOT
from support.podofvolume import environment
from support.sourcecontract import DATA, served

from importer.sources import SourceSpec

PAGE = ROOT / "docs/adding-a-source.md"
TABLE, SUITE = "cdi/base/sources.py", "tests/component/sources/test_conformance.py"
FILES = [TABLE, "cdi/sources/imageio.py", "importer/sources/imageio.py"]
TESTS = [SUITE, "tests/unit/cdi/sources/test_imageio.py"]


def steps() -> dict[str, str]:
    """What the page has for each file: the block below the heading that names it."""
    found, place = {}, ""
    heading_or_block = re.compile(r"^#+ [^\n]*`(\S+)`\n|```(?:python)?\n(.*?)```", re.DOTALL | re.MULTILINE)
    for path, block in heading_or_block.findall(PAGE.read_text()):
        if block and place:
            found[place] = block
        place = path or place
    return found


def test_the_page_names_three_files_and_their_tests() -> None:
    assert list(steps()) == FILES + TESTS


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """This repository after the page."""
    top = tmp_path_factory.mktemp("copy")
    for name in ("cdi", "importer", "cloner", "storageprofiles", "tests/support", "tests/unit/cdi/sources"):
        shutil.copytree(ROOT / name, top / name)
    for name in (
        "pyproject.toml",
        "tests/conftest.py",
        "tests/component/sources",
        "tests/unit/cdi/base/test_sources.py",
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, top / name)
    for name, text in steps().items():
        path = top / name
        if name == TABLE:
            table = path.read_text()
            assert table.count("SERVED = (\n") == 1
            path.write_text(table.replace("SERVED = (\n", f"SERVED = (\n{text}"))
        elif name == SUITE:
            path.write_text(f"{path.read_text()}\n\n{text}")
        else:
            assert not path.exists()
            path.write_text(text)
    return top


def run(copy: Path, *arguments: object, given: str | None = None, **variables: str) -> str:
    """The output of Python in the copy."""
    environ = {**ENVIRONMENT, "PYTHONPATH": f"{copy}:{copy / 'tests'}", **variables}
    command = [sys.executable, *map(str, arguments)]
    done = subprocess.run(command, cwd=copy, env=environ, input=given, capture_output=True, text=True, timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        served(server, "/images/a%201", SourceSpec(""), ())
        yield server


def test_a_datavolume_of_the_new_source_becomes_a_disk(copy: Path, server: FaultServer, tmp_path: Path) -> None:
    member = {"url": server.url("/images"), "diskId": "a 1", "secretRef": "keys", "insecureSkipVerify": True}
    given = {"source": {"imageio": member}, "secrets": {"keys": {"accessKeyId": "somebody", "secretKey": "hush"}}}
    variables = json.loads(run(copy, "-m", "support.podofvolume", given=json.dumps(given)))
    assert (variables["IMPORTER_SOURCE"], variables["IMPORTER_DISK_ID"]) == ("imageio", "a 1")
    here = {"CDI_TARGET": str(tmp_path / "disk.img"), "CDI_TERMINATION_LOG": str(tmp_path / "said"), "OWNER_UID": ""}
    run(copy, "-m", "importer.pod", **variables | here)
    disk = (tmp_path / "disk.img").read_bytes()
    assert disk[: len(DATA)] == DATA
    assert '"Import Complete"' in (tmp_path / "said").read_text()
    assert {request.headers["authorization"] for request in server.requests} == {"Basic c29tZWJvZHk6aHVzaA=="}


def test_before_the_page_is_followed_nobody_acts_on_it() -> None:
    with pytest.raises(ValueError, match="source imageio is accepted, not acted on by this version"):
        environment({"imageio": {"url": "https://engine", "diskId": "1"}}, {})


def test_the_suite_holds_the_new_source_and_its_tests_pass(copy: Path) -> None:
    tests = ["tests/unit/cdi/base/test_sources.py", "tests/unit/cdi/sources", SUITE]
    chosen = "not (TestHttp or TestS3 or TestFile or TestBlank)"
    said = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-rA", *tests, "-k", chosen)
    for name in (
        "TestImageioSource",
        "TestImageioDataVolume",
        "test_the_number_of_the_disk",
        "is_held_to_the_contract",
    ):
        assert name in said
    run(copy, "-m", "ruff", "check", "--no-cache", *FILES, *TESTS)
    run(copy, "-m", "ruff", "format", "--no-cache", "--check", *FILES, *TESTS)
