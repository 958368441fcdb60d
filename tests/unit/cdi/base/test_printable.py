from __future__ import annotations

import sys
import time
import unicodedata

import pytest

from cdi.base.printable import excerpt, lines, one_line

# Signs of Arabic, Syriac and Kaithi that have a shape: numbers, years and verses.
SHAPED = {*range(0x600, 0x606), 0x6DD, 0x890, 0x891, 0x8E2}


def acts(code: int) -> bool:
    """Whether Unicode calls it a control, a format, a separator of lines or half a character."""
    return unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp") and code not in SHAPED


def test_every_character_that_acts_is_spelled_out_and_no_other_is_touched() -> None:
    for code in range(sys.maxunicode + 1):
        shown = one_line(chr(code))
        if code == ord("\t"):
            assert shown == " "
        elif acts(code):
            assert shown.isascii() and shown.startswith("\\") and shown.isprintable(), hex(code)
        elif unicodedata.category(chr(code)) != "Cn":  # what later versions of Unicode may give a meaning
            assert shown == chr(code), hex(code)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain Überfluß 日本語 🙂", "plain Überfluß 日本語 🙂"),
        ("\x1b[2J\x1b]0;pwn\x07", r"\x1b[2J\x1b]0;pwn\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\r\nb\tc", r"a\r\nb c"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("a\u2028b\u200bc\ufeff", r"a\u2028b\u200bc\ufeff"),
        ("\udc80", r"\udc80"),
        ("\U000e0041", r"\U000e0041"),
        ("a\\x1b", "a\\x1b"),
    ],
)
def test_what_would_act_is_spelled_out(text: str, shown: str) -> None:
    assert one_line(text) == shown


def test_line_ends_of_ours_stay() -> None:
    assert lines("one\n\x1btwo\r\n\n") == "one\n\\x1btwo\\r\n\n"


def test_an_excerpt_says_how_much_there_is() -> None:
    assert excerpt("short") == "short"
    assert excerpt("x" * 1_000_000, 3) == "xxx... (1000000 characters)"


def test_a_text_as_large_as_an_object_takes_little_time() -> None:
    began = time.process_time()
    assert len(one_line("\x1b" * 1_500_000)) == 6_000_000
    assert time.process_time() - began < 3
