"""Which source serves which URL, and which kind of request."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from cdi.base.faults import Fault
from cdi.base.sources import scheme_of, source_of_scheme, source_of_word
from importer.sources import Source, SourceSpec
from importer.sources.url import display_name


def open_source(spec: SourceSpec) -> Source:
    """The source for ``spec``; nothing is asked of it yet. Raises Fault SourceUrlInvalid."""
    if not spec.url.strip():
        raise Fault("SourceUrlInvalid", source="''", cause="it is empty")
    scheme = scheme_of(spec.url)
    found = source_of_word(spec.kind) if spec.kind else source_of_scheme(scheme)
    if found is None or found.is_empty:
        cause = f"there is no source of kind {spec.kind or scheme}"
        raise Fault("SourceUrlInvalid", source=display_name(spec.url), cause=cause)
    # Not before it is wanted: http.client and ssl take 40 ms, a worker starts in 100.
    opened: Callable[[SourceSpec], Source] = import_module(f"importer.sources.{found.name}").open_source
    return opened(spec)
