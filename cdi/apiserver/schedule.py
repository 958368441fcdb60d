"""Cron expressions: five fields, or a descriptor such as ``@daily``. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_DESCRIPTORS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
_LONGEST = 1000  # characters: every number of every field, one by one, has 500
_DIGITS = 9
_PART = re.compile(r"(?:[*?]|([0-9]+|[a-z]{3})(?:-([0-9]+|[a-z]{3}))?)(?:/([0-9]+))?")


@dataclass(frozen=True, slots=True)
class _Field:
    """``names`` stand for the numbers from ``lowest`` on."""

    lowest: int
    highest: int
    names: tuple[str, ...] = ()

    def number(self, text: str) -> int:
        """-1 for what is neither a name nor a number of this field."""
        if text in self.names:
            return self.lowest + self.names.index(text)
        number = _short(text)
        return number if self.lowest <= number <= self.highest else -1


_FIELDS = (_Field(0, 59), _Field(0, 23), _Field(1, 31), _Field(1, 12, _MONTHS), _Field(0, 7, _DAYS))


def _short(digits: str) -> int:
    """-1 for what is none, or longer than any number of a schedule: Python refuses to read thousands of digits."""
    return int(digits) if digits.isdecimal() and len(digits) <= _DIGITS else -1


def is_schedule(text: str) -> bool:
    if len(text) > _LONGEST:
        return False
    if text.startswith("@"):
        return text in _DESCRIPTORS
    fields = text.lower().split()
    return len(fields) == len(_FIELDS) and all(map(_is_list, fields, _FIELDS))


def _is_list(text: str, field: _Field) -> bool:
    return all(_is_part(part, field) for part in text.split(","))


def _is_part(text: str, field: _Field) -> bool:
    match = _PART.fullmatch(text)
    if match is None:
        return False
    first, last, step = match.groups()
    numbers = [field.number(value) for value in (first, last) if value]
    return -1 not in numbers and numbers == sorted(numbers) and (step is None or _short(step) > 0)
