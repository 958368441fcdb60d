"""Which source serves which URL."""

from __future__ import annotations

from collections.abc import Callable

from cdi.base.faults import Fault
from importer.sources import Source, SourceSpec
from importer.sources.url import display_name

__all__ = ["display_name", "open_source"]


# The imports wait until a source of the kind is wanted: http.client and ssl take 40 ms, a worker starts in 100.
def _http(spec: SourceSpec) -> Source:
    from importer.sources.http import HttpSource

    return HttpSource(spec)


def _file(spec: SourceSpec) -> Source:
    from importer.sources.file import FileSource

    return FileSource(spec)


def _s3(spec: SourceSpec) -> Source:
    from importer.sources.s3 import S3Source

    return S3Source(spec)


SOURCES: dict[str, Callable[[SourceSpec], Source]] = {
    "": _file,  # a plain path
    "file": _file,
    "http": _http,
    "https": _http,
    "s3": _s3,
}


def open_source(spec: SourceSpec) -> Source:
    """The source for ``spec``; nothing is asked of it yet. Raises Fault SourceUrlInvalid."""
    if not spec.url.strip():
        raise Fault("SourceUrlInvalid", source="''", cause="it is empty")
    scheme = spec.kind or scheme_of(spec.url)
    factory = SOURCES.get(scheme)
    if factory is None:
        raise Fault("SourceUrlInvalid", source=display_name(spec.url), cause=f"there is no source of kind {scheme}")
    return factory(spec)


def scheme_of(url: str) -> str:
    """``https`` of ``https://host``; empty for a path. ``file:/path`` is a URL too, ``a:b`` is a file name."""
    scheme, separator, _ = url.strip().partition("://")
    if separator:
        return scheme.lower()
    return "file" if url.strip().lower().startswith("file:/") else ""
