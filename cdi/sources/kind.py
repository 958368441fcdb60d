"""What the module of a source says of it, as its ``SOURCE``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from importlib import import_module
from typing import Any, Generic, TypeVar

from cdi.base.sources import ServedSource, source_of_word
from cdi.sources.needs import Needs
from cdi.sources.parameters import Parameters

S = TypeVar("S")


def as_it_is(url: str, environ: Mapping[str, str]) -> str:  # noqa: ARG001  all are called alike
    return url


@dataclass(frozen=True, slots=True)
class SourceKind(Generic[S]):
    """``spec``: the type of its member of ``spec.source``. ``parameters``: what such a one asks for. ``needs``: what a
    worker has to be given for it. ``own``: annotations of claims that only this source has, each with its worker's
    variable. ``may_skip_verification``: ``insecureSkipVerify`` means something. ``url``: what a DataVolume says for a
    URL that was given at a command line with this environment; raises Fault SourceUrlInvalid."""

    spec: type[S]
    parameters: Callable[[S], Parameters]
    needs: Callable[[Parameters], Needs]
    own: Mapping[str, str] = field(default_factory=dict)
    may_skip_verification: bool = False
    url: Callable[[str, Mapping[str, str]], str] = as_it_is


@cache
def kind_of(source: ServedSource) -> SourceKind[Any]:
    """``source``: one that a DataVolume can have."""
    found: SourceKind[Any] = import_module(f"cdi.sources.{source.name}").SOURCE
    return found


def needs_of(asked: Parameters) -> Needs:
    """Of a source that is served."""
    source = source_of_word(asked.source)
    assert source is not None, "what is not served has no worker"
    kind = kind_of(source)
    needs = kind.needs(asked)
    return replace(needs, variables={kind.own[key]: value for key, value in asked.own} | dict(needs.variables))
