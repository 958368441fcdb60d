"""Objects of requests as our types."""

from __future__ import annotations

from typing import TypeVar

from msgspec import Raw

from cdi.api.datavolume import DataVolumeSpec
from cdi.apiserver.review import NOTHING, Answer, broken
from cdi.base.printable import excerpt
from cdi.base.units import parse_quantity
from cdi.kube.decoding import read
from cdi.kube.errors import Unreadable

T = TypeVar("T")

_RESOURCES = 64  # of a volume, whose only one is its size

# The text that the API machinery has for it; clients look for it.
QUANTITY = "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'"


class Undecodable(Exception):
    """``answer`` says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.message)
        self.answer = answer


def decoded(raw: Raw, type_: type[T]) -> T:
    """Raises Undecodable."""
    try:
        return read(type_, Raw(b"{}") if raw == NOTHING else raw, type_.__name__)
    except Unreadable as error:
        raise Undecodable(broken(str(error))) from error


def check_quantities(spec: DataVolumeSpec) -> None:
    """Raises Undecodable for a size that is none: the schema's own words for it are not those that clients know."""
    resources = spec.target.resources
    named = [*resources.requests.items(), *resources.limits.items()]
    if len(named) > _RESOURCES:
        raise Undecodable(broken(f"{len(named)} resources are requested or limited: a volume has one, storage"))
    for name, text in named:
        try:
            parse_quantity(str(text))
        except ValueError:
            raise Undecodable(broken(f"{excerpt(name)}: {excerpt(str(text))}: {QUANTITY}")) from None
