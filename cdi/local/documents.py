"""Documents of manifest files: YAML as Kubernetes reads it, typed, with a word on fields that nobody knows."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Hashable, Iterator
from typing import Any, TypeVar, get_args, get_type_hints

import msgspec
import yaml

from cdi.base.faults import Fault

Typed = TypeVar("Typed")


LONGEST = 4 << 20  # characters of a file; an API server takes objects of 3 MiB at most
_MOST = 200_000  # values of a file. Aliases make few characters into many: nine lines into a thousand million


def documents(name: str, text: str) -> list[Any]:
    """The objects of a file. Raises Fault ManifestInvalid."""
    left = itertools.count(_MOST, -1)
    try:
        return [_pruned(document, left) for document in yaml.load_all(text, _Loader) if document is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # ValueError: `!!int abc`, numbers without end
        detail = " ".join(str(error).split())
        raise Fault("ManifestInvalid", where=name, detail=f"this is no YAML: {detail}") from error


class _Loader(yaml.SafeLoader):
    """Safe, and like Kubernetes, which reads YAML as JSON: ``2026-01-01`` stays a text, and no key is there twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.tag != _MERGE:
                if key.value in seen:
                    said = f"the key {key.value!r} is there twice"
                    raise yaml.constructor.ConstructorError(None, None, said, key.start_mark)
                seen.add(key.value)
        return super().construct_mapping(node, deep)


_MERGE = "tag:yaml.org,2002:merge"


_Loader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _pruned(value: Any, left: Iterator[int]) -> Any:  # noqa: ANN401  YAML is anything
    """Without keys that are null, as the API server prunes them (``creationTimestamp: null`` is everywhere). ``left``
    counts down how many values there may be."""
    if next(left) <= 0:
        raise ValueError(f"it has more than {_MOST:,} values")
    if isinstance(value, dict):
        return {str(key): _pruned(item, left) for key, item in value.items() if item is not None}
    return [_pruned(item, left) for item in value] if isinstance(value, list) else value


def typed(where: str, document: Any, kind: type[Typed]) -> Typed:  # noqa: ANN401  YAML is anything
    try:
        return msgspec.convert(document, kind)
    except msgspec.ValidationError as error:
        raise Fault("ManifestInvalid", where=where, detail=str(error)) from error


def unknown_fields(raw: Any, kind: type, path: str) -> Iterator[str]:  # noqa: ANN401  YAML is anything
    """A sentence for each key of ``raw`` that ``kind`` does not have, with the nearest that it has."""
    if not isinstance(raw, dict) or not issubclass(kind, msgspec.Struct):
        return
    names = dict(zip(kind.__struct_encode_fields__, kind.__struct_fields__, strict=True))
    hints = get_type_hints(kind)
    for key, value in raw.items():
        if key not in names:
            near = difflib.get_close_matches(str(key), names, 1)
            hint = f", did you mean {path}.{near[0]}?" if near else ""
            yield f"unknown field {path}.{key}{hint}"
            continue
        inner = [part for part in (hints[names[key]], *get_args(hints[names[key]])) if isinstance(part, type)]
        for part in inner:
            yield from unknown_fields(value, part, f"{path}.{key}")
