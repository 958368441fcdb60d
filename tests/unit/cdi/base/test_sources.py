"""The table of sources, and that both sides of the wire have what it promises."""

from __future__ import annotations

import ast
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from cdi.api.datavolume import DataVolumeSource
from cdi.api.populators import ImportSource
from cdi.base.sources import SERVED, ServedSource, imported, is_empty, scheme_of, source_of_scheme, source_of_word
from cdi.sources.kind import kind_of

_TABLE = "cdi/base/sources.py"


def test_a_word_a_scheme_and_a_name_stand_for_one_source() -> None:
    for said in (
        [source.name for source in SERVED],
        [source.word for source in imported()],
        [scheme for source in SERVED for scheme in source.schemes],
    ):
        assert len(said) == len(set(said))


@pytest.mark.parametrize("source", imported(), ids=lambda source: source.name)
def test_what_is_imported_has_a_member_and_a_module_on_each_side(source: ServedSource) -> None:
    assert source.name in DataVolumeSource.__struct_fields__
    assert source.name in ImportSource.__struct_fields__
    asked = kind_of(source).parameters(kind_of(source).spec())
    assert asked.source == source.word
    assert (find_spec(f"importer.sources.{source.name}") is None) is source.is_empty


@pytest.mark.parametrize("source", SERVED, ids=lambda source: source.name)
def test_what_has_bytes_can_be_opened(source: ServedSource) -> None:
    if not source.is_empty:
        assert callable(import_module(f"importer.sources.{source.name}").open_source)


def test_nobody_else_names_a_source() -> None:
    """Told by two whose names mean nothing else: http is a scheme, and the API has rules for those to come."""
    root = Path(__file__).parents[4]
    paths = [path for package in ("cdi", "importer") for path in (root / package).rglob("*.py")]
    others = [path for path in paths if path.parent.name not in ("api", "sources") and path != root / _TABLE]
    found = [
        f"{path.relative_to(root)}:{node.lineno}: {node.value}"
        for path in others
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in ("s3", "blank")
    ]
    assert found == []


def test_what_no_datavolume_has_has_no_word() -> None:
    assert source_of_word("") is None
    assert source_of_word("file") is None
    assert source_of_scheme("file") is not None


def test_a_blank_disk_is_empty_and_what_is_not_known_is_not() -> None:
    assert [is_empty(word) for word in ("none", "http", "registry", "")] == [True, False, False, False]


@pytest.mark.parametrize(
    ("url", "scheme"),
    [
        ("https://h/x", "https"), ("S3://b/k", "s3"), ("file:/x", "file"), ("/x", ""), ("disk:1.img", ""),
        (" http://h", "http"),
    ],
)  # fmt: skip
def test_the_scheme_of_a_url(url: str, scheme: str) -> None:
    assert scheme_of(url) == scheme
