"""The sources that are served: one table, read on both sides of the wire.

A source has a module of its name on each side: ``cdi.sources.NAME`` turns what a DataVolume says into what its worker
is told, and ``importer.sources.NAME`` gives the bytes. docs/adding-a-source.md has the steps.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServedSource:
    """``name``: of its modules, and of its member of ``spec.source``. ``word``: the contract's, in the annotations of
    claims and the environment of workers; empty: no DataVolume has it, it is of this machine. ``schemes``: of the URLs
    that name it at a command line. ``is_empty``: a disk of zeros, for which no byte is fetched: it has no worker's
    module."""

    name: str
    word: str = ""
    schemes: tuple[str, ...] = ()
    is_empty: bool = False


SERVED = (
    ServedSource("http", word="http", schemes=("http", "https")),
    ServedSource("s3", word="s3", schemes=("s3",)),
    ServedSource("blank", word="none", is_empty=True),
    ServedSource("file", schemes=("", "file")),  # no scheme: a plain path
)


def imported() -> tuple[ServedSource, ...]:
    """Those that a DataVolume can have."""
    return tuple(source for source in SERVED if source.word)


def urls() -> list[str]:
    """How the URLs begin that a cluster can import."""
    return [f"{scheme}://" for source in imported() for scheme in source.schemes]


def listed(words: Iterable[str], last: str) -> str:
    """For people, with ``last`` before the last one: ``http, s3 or blank``."""
    *most, end = words
    return f"{', '.join(most)} {last} {end}" if most else end


def is_imported(member: str) -> bool:
    """Whether this version imports what ``spec.source`` has as ``member``."""
    return any(source.name == member for source in imported())


def source_of_word(word: str) -> ServedSource | None:
    """None: it is not served."""
    return next((source for source in imported() if source.word == word), None)


def is_empty(word: str) -> bool:
    """Whether nothing is fetched for it: no server, no certificates, no proxy."""
    source = source_of_word(word)
    return source is not None and source.is_empty


def scheme_of(url: str) -> str:
    """``https`` of ``https://host``; empty for a path. ``file:/path`` is a URL too, ``a:b`` is a file name."""
    scheme, separator, _ = url.strip().partition("://")
    if separator:
        return scheme.lower()
    return "file" if url.strip().lower().startswith("file:/") else ""


def source_of_scheme(scheme: str) -> ServedSource | None:
    """``scheme``: in lower case, empty for a path. None: no source has such URLs."""
    return next((source for source in SERVED if scheme in source.schemes), None)
