"""One JSON object from somebody else, read member by member within bounds."""

from __future__ import annotations

import json
from typing import NoReturn


class Members:
    """The members of a JSON object. Each method gives None, or what is empty, for a member that is missing, and raises
    ValueError for one that is of another type, or out of bounds."""

    def __init__(self, text: str | bytes, longest: int) -> None:
        """``longest``: bytes. Raises ValueError for what is longer, or no JSON object."""
        if len(text) > longest:
            raise ValueError(f"longer than {longest} bytes")
        try:
            found = json.loads(text, parse_constant=_no_number)
        except RecursionError as error:
            raise ValueError("nested too deeply") from error
        if not isinstance(found, dict):
            raise ValueError("no JSON object")
        self._members: dict[str, object] = found

    def text(self, name: str, longest: int) -> str:
        return _text(self._members.get(name, ""), longest)

    def flag(self, name: str) -> bool | None:
        if name not in self._members:
            return None
        value = self._members[name]
        if not isinstance(value, bool):
            raise ValueError(f"{name} is no boolean")
        return value

    def number(self, name: str, least: float, most: float) -> float | None:
        """None also for null."""
        value = self._members.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most:
            raise ValueError(f"{name} is no number from {least} to {most}")
        return value

    def count(self, name: str) -> int | None:
        """What a status can hold: from 0 to 2**63 - 1."""
        value = self.number(name, 0, 2**63 - 1)
        if isinstance(value, float):
            raise ValueError(f"{name} is no whole number")
        return value

    def texts(self, name: str, most: int, longest: int) -> tuple[str, ...]:
        """At most ``most`` of them."""
        value = self._members.get(name, [])
        if not isinstance(value, list) or len(value) > most:
            raise ValueError(f"{name} is no list of at most {most}")
        return tuple(_text(item, longest) for item in value)

    def named_texts(self, name: str, most: int, longest: int) -> dict[str, str]:
        value = self._members.get(name, {})
        if not isinstance(value, dict) or len(value) > most:
            raise ValueError(f"{name} is no object of at most {most}")
        return {_text(key, longest): _text(item, longest) for key, item in value.items()}


def _text(value: object, longest: int) -> str:
    if not isinstance(value, str) or len(value) > longest:
        raise ValueError(f"no text of at most {longest} characters")
    value.encode()  # a lone surrogate, which no API server takes: UnicodeEncodeError is a ValueError
    return value


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
