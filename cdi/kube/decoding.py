"""Bytes of the API into types."""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec
from msgspec import Raw

from cdi.kube.errors import Unreadable

T = TypeVar("T")

# Text that is no UTF-8, and members that lie in each other a thousand times, are no errors of msgspec's own.
_NOT_READABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)

_decoders: dict[type[Any], msgspec.json.Decoder[Any]] = {}


def read(type_: type[T], body: bytes | Raw, what: str) -> T:
    """Raises Unreadable, naming ``what`` was asked for.

    ``null`` is read like a missing member where the type allows no None: Go writes an empty list without
    ``omitempty`` so (``status.conditions`` of a new CustomResourceDefinition).
    """
    try:
        return _decoder(type_).decode(body)
    except msgspec.ValidationError:
        return _without_nulls(type_, body, what)
    except _NOT_READABLE as cause:
        raise Unreadable(f"{what}: {cause}") from cause


def _decoder(type_: type[T]) -> msgspec.json.Decoder[T]:
    """One for each type: making it takes longer than decoding a small object."""
    if type_ not in _decoders:
        _decoders[type_] = msgspec.json.Decoder(type_)
    return _decoders[type_]


def _without_nulls(type_: type[T], body: bytes | Raw, what: str) -> T:
    try:
        return msgspec.convert(_stripped(msgspec.json.decode(body)), type_)
    except _NOT_READABLE as cause:
        raise Unreadable(f"{what}: {cause}") from cause


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        return {name: _stripped(member) for name, member in value.items() if member is not None}
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return value
