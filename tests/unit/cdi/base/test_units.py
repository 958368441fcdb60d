import pytest

from cdi.base.units import GiB, MiB, format_quantity, human_duration, human_size, parse_quantity


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
    ],
)
def test_kubernetes_quantities_become_bytes(text: str, size: int) -> None:
    assert parse_quantity(text) == size


@pytest.mark.parametrize("text", ["", "Gi", "10GB", "ten", "1 Gi", "1e", "0x10"])
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
