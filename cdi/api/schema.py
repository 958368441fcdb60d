"""Structural OpenAPI v3 schemas of msgspec types, as CustomResourceDefinitions want them. Pure reflection.

A field's schema is its Python type, its marks (``cdi.api.marks``), and the string below it as description. A field is
required where it is marked so, or where it has no default.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Iterator
from functools import cache
from typing import Any

import msgspec.inspect as reflect
from msgspec import Struct

from cdi.api.datavolume import ObjectMeta

Schema = dict[str, Any]

_MEANINGS = {
    "api_version": "Group and version of the object.",
    "kind": "Kind of the object.",
}
_QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)


def schema_of(type_: type[Struct]) -> Schema:
    """The schema of objects of ``type_``."""
    return _described(_meaning(type_), _struct(type_))


def _described(meaning: str, schema: Schema) -> Schema:
    """``schema`` with a description, which replaces the one that its type brought along."""
    return {"description": meaning} | schema | {"description": meaning} if meaning else schema


def _struct(type_: type[Struct]) -> Schema:
    if type_ is ObjectMeta:
        return {"type": "object"}  # the API server knows it and wants no more said
    properties, required = {}, []
    for field, meaning in _fields(type_):
        properties[field.encode_name] = _described(meaning, _schema(field.type))
        if field.required or _mark(field.type, "required"):
            required.append(field.encode_name)
    schema: Schema = {"type": "object", "properties": dict(sorted(properties.items()))}
    if required:
        schema["required"] = sorted(required)
    if getattr(type_, "atomic", False):
        schema["x-kubernetes-map-type"] = "atomic"
    return schema


def _fields(type_: type[Struct]) -> Iterator[tuple[reflect.Field, str]]:
    described = reflect.type_info(type_)
    assert isinstance(described, reflect.StructType)
    meanings = _meanings(type_)
    for field in described.fields:
        yield field, meanings.get(field.name, "")


def _mark(type_: reflect.Type, name: str) -> Any:  # noqa: ANN401 - what a mark holds is the mark's business
    return (type_.extra or {}).get(name) if isinstance(type_, reflect.Metadata) else None


def _schema(type_: reflect.Type) -> Schema:
    match type_:
        case reflect.Metadata(type=inner, extra_json_schema=extra):
            shape = _mark(type_, "shape")
            return (_shaped(inner, shape) if shape else _schema(inner)) | (extra or {})
        case reflect.UnionType(types=types):
            return _union([one for one in types if not isinstance(one, reflect.NoneType)])
        case reflect.StructType(cls=cls):
            return schema_of(cls)
        case reflect.ListType(item_type=item):
            return {"type": "array", "items": _schema(item)}
        case reflect.DictType(value_type=value):
            members = {} if isinstance(value, reflect.AnyType) else {"additionalProperties": _schema(value)}
            return {"type": "object", **members}
    return _scalar(type_)


def _scalar(type_: reflect.Type) -> Schema:
    match type_:
        case reflect.StrType():
            return {"type": "string"}
        case reflect.BoolType():
            return {"type": "boolean"}
        case reflect.IntType():
            return {"type": "integer", "format": "int32"}
    raise TypeError(f"{type_} has no structural schema")


def _union(types: list[reflect.Type]) -> Schema:
    if len(types) == 1:
        return _schema(types[0])
    if {type(one) for one in types} == {reflect.StrType, reflect.IntType, reflect.FloatType}:  # cdi.api.quantity
        either: list[Schema] = [{"type": "integer"}, {"type": "string"}]
        return {"anyOf": either, "pattern": _QUANTITY, "x-kubernetes-int-or-string": True}
    raise TypeError(f"{types} have no structural schema: one type, or a quantity")


def _shaped(type_: reflect.Type, shape: type[Struct]) -> Schema:
    """The schema of ``shape`` in place of the dict that ``type_`` holds."""
    if isinstance(type_, reflect.ListType):
        return {"type": "array", "items": _struct(shape)}
    return _struct(shape)


def _meaning(type_: type[Struct]) -> str:
    return " ".join((type_.__dict__.get("__doc__") or "").split())


@cache
def _meanings(type_: type[Struct]) -> dict[str, str]:
    """What the strings below the fields say; of the classes above as well."""
    meanings = dict(_MEANINGS)
    for cls in reversed(type_.__mro__):
        if issubclass(cls, Struct) and cls is not Struct:
            meanings |= dict(_written(cls))
    return meanings


def _written(type_: type[Struct]) -> Iterator[tuple[str, str]]:
    tree = ast.parse(textwrap.dedent(inspect.getsource(type_))).body[0]
    assert isinstance(tree, ast.ClassDef)
    for field, below in zip(tree.body, tree.body[1:], strict=False):
        match field, below:
            case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(text))):
                yield name, " ".join(text.split())
