import string
import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.base.units import (
    LARGEST,
    GiB,
    MiB,
    format_quantity,
    human_duration,
    human_size,
    parse_quantity,
    size_or_none,
)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("20Gi", 20 * GiB),
        ("512", 512),
        ("1.5Gi", GiB + 512 * MiB),
        ("1e3", 1000),
        ("10M", 10**7),
        ("100m", 1),
        (" 1Ki ", 1024),
        ("1E3", 1000),
        ("1E", 10**18),
        ("1e+3", 1000),
        ("1.5e-1", 1),
        ("1e-999999", 1),
        ("0e999999", 0),
        ("5n", 1),
        ("2000000u", 2),
        ("2500m", 3),
        ("-5Gi", -5 * GiB),
        ("-2500m", -2),
        ("+1Gi", GiB),
        ("1.Gi", GiB),
        (".5Gi", GiB // 2),
        ("0.1", 1),
        ("007", 7),
        ("7Ei", 7 * 2**60),
        (str(LARGEST), LARGEST),
        (f"-{LARGEST}", -LARGEST),
    ],
)
def test_kubernetes_quantities_become_bytes(text: str, size: int) -> None:
    assert parse_quantity(text) == size


@pytest.mark.parametrize(
    "text",
    [
        *("", "Gi", ".", "-", "+-1", "10GB", "ten", "1 Gi", "1e", "1e1.5", "1e5Gi", "0x10", "1_000", "1Ki\0", "1k i"),
        *("١Gi", "１Gi", "²", "1e²"),  # noqa: RUF001 - digits, of other scripts
    ],
)
def test_what_is_no_quantity_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="is not a size"):
        parse_quantity(text)


def test_sizes_are_shown_the_way_people_read_them() -> None:
    assert human_size(21474836480) == "20 GiB"
    assert human_size(1_181_116_006) == "1.1 GiB"
    assert human_size(100) == "100 B"
    assert format_quantity(20 * GiB) == "20Gi"
    assert format_quantity(1000) == "1000"
    assert human_duration(185) == "3 min 05 s"
    assert human_duration(0.42) == "0.4 s"


@pytest.mark.parametrize(
    "text", ["8Ei", "-8Ei", "100Ei", "1e19", "9" * 40, "1e100", "1e999999999", "9223372036854775808"]
)
def test_what_no_volume_can_have_is_named_in_the_error(text: str) -> None:
    with pytest.raises(ValueError, match="is no size that Kubernetes can hold"):
        parse_quantity(text)
    assert size_or_none(text) is None


SUFFIXES = {"n": "1e-9", "u": "1e-6", "m": "1e-3", "": "1", "k": "1e3", "M": "1e6", "G": "1e9", "Ki": "1024"}


NUMBERS = st.builds("{}.{}".format, st.integers(0, 10**9), st.integers(0, 10**9)) | st.integers(0, 10**9).map(str)


@given(st.sampled_from(["", "+", "-"]), NUMBERS, st.sampled_from(sorted(SUFFIXES)) | st.integers(-9, 9))
def test_any_quantity_is_the_number_rounded_up(sign: str, number: str, suffix: str | int) -> None:
    written, factor = (suffix, SUFFIXES[suffix]) if isinstance(suffix, str) else (f"e{suffix}", f"1e{suffix}")
    size, exact = parse_quantity(sign + number + written), Decimal(sign + number) * Decimal(factor)
    assert exact <= size < exact + 1


@given(st.text(alphabet=string.digits + ".+-eEinumkKMGTP \n٣", max_size=80))
def test_any_text_is_a_size_or_named(text: str) -> None:
    size = size_or_none(text)
    assert size is None or abs(size) <= LARGEST


@pytest.mark.parametrize("text", ["1", "9", "1.", "0", "1e9", "1Gi", "-", " ", "e"])
def test_a_text_as_large_as_a_request_takes_no_time(text: str) -> None:
    long = text * (3_000_000 // len(text))
    began = time.process_time()
    for end in ("", "x", "Gi", "e1"):
        with pytest.raises(ValueError, match=r"characters\)' is not a size") as refused:
            parse_quantity(long + end)
        assert len(str(refused.value)) < 500
    assert time.process_time() - began < 0.5
