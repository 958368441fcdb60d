"""What makes a schema structural, in the words of Kubernetes' documentation of CustomResourceDefinitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

_NEVER_INSIDE_LOGIC = {"description", "type", "default", "additionalProperties", "nullable"}
_LOGIC = ("allOf", "anyOf", "oneOf", "not")


def defects(schema: dict[str, Any], at: str = "") -> Iterator[str]:
    """Every place where ``schema`` is not structural, as a sentence that starts with the path."""
    if not at:
        yield from _root(schema)
    if "type" not in schema and not schema.get("x-kubernetes-int-or-string"):
        yield f"{at}: has no type"
    if "properties" in schema and "additionalProperties" in schema:
        yield f"{at}: has properties and additionalProperties"
    absent = set(schema.get("required", ())) - schema.get("properties", {}).keys()
    if absent:
        yield f"{at}: requires {sorted(absent)}, which it does not have"
    yield from _keyed_list(schema, at)
    yield from _logic(schema, at)
    for name, below in schema.get("properties", {}).items():
        yield from defects(below, f"{at}.{name}")
    for name in ("items", "additionalProperties"):
        if name in schema:
            yield from defects(schema[name], f"{at}.{name}")


def _root(schema: dict[str, Any]) -> Iterator[str]:
    if schema.get("type") != "object":
        yield ": is no object"
    if schema["properties"]["metadata"] != {"type": "object"}:
        yield ".metadata: says more than that it is an object"


def _keyed_list(schema: dict[str, Any], at: str) -> Iterator[str]:
    for key in schema.get("x-kubernetes-list-map-keys", ()):
        item = schema["items"]
        if key not in item["properties"] or key not in item.get("required", ()):
            yield f"{at}: is keyed by {key}, which its items may lack"


def _logic(schema: dict[str, Any], at: str) -> Iterator[str]:
    for word in _LOGIC:
        for branch in schema.get(word, ()):
            allowed = {"type"} if schema.get("x-kubernetes-int-or-string") else set()
            for name in (branch.keys() & _NEVER_INSIDE_LOGIC) - allowed:
                yield f"{at}.{word}: holds {name}"
