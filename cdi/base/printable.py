"""Text that others wrote, as it may be shown: nothing in it acts on a terminal, a log or the order of what is read."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

# First and last of: control characters (C0, DEL, C1), line and paragraph separators, halves of characters, and what has
# no shape of its own but changes that of others: directions, joiners, zero widths, invisible tags.
_ACTING = (
    *((0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x70F, 0x70F), (0x180E, 0x180E), (0x200B, 0x200F)),
    *((0x2028, 0x202E), (0x2060, 0x206F), (0xD800, 0xDFFF), (0xFEFF, 0xFEFF), (0xFFF9, 0xFFFB), (0x110BD, 0x110BD)),
    *((0x110CD, 0x110CD), (0x13430, 0x1343F), (0x1BCA0, 0x1BCA3), (0x1D173, 0x1D17A), (0xE0001, 0xE0001)),
    (0xE0020, 0xE007F),
)
_EXCERPT = 120  # characters


def one_line(text: str) -> str:
    """Characters that act are spelled out as Python does it, ``\\x1b``; a tab is a blank."""
    return text if text.isprintable() else text.translate(_spelling())


def lines(text: str) -> str:
    """The same of a text whose line ends are ours."""
    return "\n".join(map(one_line, text.split("\n")))


def excerpt(text: str, limit: int = _EXCERPT) -> str:
    """As much of ``text`` as tells which one it is."""
    return text if len(text) <= limit else f"{text[:limit]}... ({len(text)} characters)"


@cache
def _spelling() -> Mapping[int, str]:
    codes = (code for first, last in _ACTING for code in range(first, last + 1))
    return {code: chr(code).encode("unicode_escape").decode() for code in codes} | {ord("\t"): " "}
