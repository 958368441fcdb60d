"""What a schema says beyond a Python type. Marks only describe: decoding accepts whatever the API server stored.

Use: ``url: Required[str] = ""``, ``phase: Annotated[str, one_of("a", "b")] = ""``. A field's description is the string
below it. ``cdi.api.schema`` reads both.
"""

from __future__ import annotations

from typing import Annotated, TypeVar

from msgspec import Meta, Struct

_T = TypeVar("_T")

# There is a default all the same: the contract's texts about what is missing are the webhook's.
Required = Annotated[_T, Meta(extra={"required": True})]

# RFC 3339, as metav1.Time is written.
Time = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
# Null is taken for nothing; elsewhere the API server drops it with a warning or refuses it.
Nullable = Annotated[_T, Meta(extra_json_schema={"nullable": True})]
Int64 = Annotated[_T, Meta(extra_json_schema={"format": "int64"})]


def one_of(*values: str) -> Meta:
    return Meta(extra_json_schema={"enum": list(values)})


def matching(pattern: str) -> Meta:
    return Meta(extra_json_schema={"pattern": pattern})


def shaped(shape: type[Struct]) -> Meta:
    """For what is handed on unread: a plain dict (or list of them) in Python, ``shape`` in the schema."""
    return Meta(extra={"shape": shape})


def keyed_by(field: str) -> Meta:
    """A list whose items are merged by ``field``."""
    return Meta(extra_json_schema={"x-kubernetes-list-type": "map", "x-kubernetes-list-map-keys": [field]})


def limited(**limits: int) -> Meta:
    """``limited(minLength=1)``, ``limited(maxItems=8)``: the words of OpenAPI."""
    return Meta(extra_json_schema=dict(limits))
