"""Bytes of the API, and texts that it only carries, into types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import msgspec
from msgspec import Raw, inspect

from cdi.kube.errors import Unreadable

T = TypeVar("T")

_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}
_MEMBERS = 20_000  # looked at for nulls, some 30 ms of work: what Go writes so has few

# What a decoder says to bytes that are not what was asked for: no JSON of the type, no UTF-8, or nested more deeply
# than Python reads (1,000 levels).
_REFUSALS = (msgspec.MsgspecError, UnicodeError, RecursionError)


def read(type_: type[T], body: bytes | Raw, what: str) -> T:
    """Raises Unreadable, naming ``what`` was asked for.

    ``null`` is read like a missing member where the type allows no None: Go writes an empty list without
    ``omitempty`` so (``status.conditions`` of a new CustomResourceDefinition).
    """
    try:
        return _decoder(type_).decode(body)
    except msgspec.ValidationError as cause:
        return _without_nulls(type_, body, what, cause)
    except _REFUSALS as cause:
        raise Unreadable(f"{what}: {cause}") from cause


def told(type_: type[T], text: str | bytes, most: int) -> T | None:
    """What somebody wrote as JSON where others read it: an annotation, a termination message, a line of a log.

    None for what is no JSON of that type, and for what is longer than ``most``, which is not looked at.
    """
    if len(text) > most:
        return None
    try:
        return _decoder(type_).decode(text)
    except _REFUSALS:
        return None


def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """One for each type: making it takes longer than decoding a small object."""
    if type_ not in _decoders:
        _decoders[type_] = msgspec.json.Decoder(type_)
    return _decoders[type_]


def _without_nulls(type_: type[T], body: bytes | Raw, what: str, refused: msgspec.ValidationError) -> T:
    """Raises Unreadable for what has other faults than nulls, or too many members to look for them."""
    try:
        return _decoder(type_).decode(_Nulls().removed(body, inspect.type_info(type_)))
    except _TooMany:
        raise Unreadable(f"{what}: {refused}") from refused
    except _REFUSALS as cause:
        raise Unreadable(f"{what}: {cause}") from cause


class _TooMany(Exception):
    """Members."""


class _Nulls:
    """Of members that have a type. The rest, which is dropped anyway, is not even decoded: it may be of any size."""

    def __init__(self) -> None:
        self._left = _MEMBERS

    def removed(self, body: bytes | Raw, shape: inspect.Type) -> bytes | Raw:
        """JSON. What is not of the shape stays as it is: its decoder has better words for it."""
        try:
            return self._removed(body, shape)
        except msgspec.ValidationError:
            return body

    def _removed(self, body: bytes | Raw, shape: inspect.Type) -> bytes | Raw:
        match shape:
            case inspect.StructType():
                members = msgspec.json.decode(body, type=dict[str, Raw])
                return self._object({field.encode_name: field.type for field in shape.fields}, members)
            case inspect.DictType():
                members = msgspec.json.decode(body, type=dict[str, Raw])
                self._count(len(members))
                return self._object(dict.fromkeys(members, shape.value_type), members)
            case inspect.ListType() if isinstance(shape.item_type, _WITH_MEMBERS):
                items = msgspec.json.decode(body, type=list[Raw])
                self._count(len(items))
                return b"[" + b",".join(bytes(self.removed(item, shape.item_type)) for item in items) + b"]"
            case inspect.UnionType():
                return self.removed(body, _of_value(shape, body))
            case inspect.Metadata():
                return self.removed(body, shape.type)
        return body

    def _object(self, shapes: Mapping[str, inspect.Type], members: Mapping[str, Raw]) -> bytes:
        kept = ((name, members[name]) for name in shapes if members.get(name, _NULL) != _NULL)
        each = (msgspec.json.encode(name) + b":" + bytes(self.removed(value, shapes[name])) for name, value in kept)
        return b"{" + b",".join(each) + b"}"

    def _count(self, members: int) -> None:
        self._left -= members
        if self._left < 0:
            raise _TooMany


_NULL = Raw(b"null")
_WITH_MEMBERS = (inspect.StructType, inspect.DictType, inspect.ListType, inspect.UnionType, inspect.Metadata)


def _of_value(shape: inspect.UnionType, value: bytes | Raw) -> inspect.Type:
    """The one member that ``value`` can be of: a union has one for each kind of JSON."""
    lists = bytes(memoryview(value)[:1]) == b"["
    fitting = (inspect.ListType,) if lists else (inspect.StructType, inspect.DictType)
    return next((each for each in shape.types if isinstance(each, fitting)), inspect.AnyType())
