from __future__ import annotations

import pytest

from cdi.apiserver.schedule import is_schedule


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "0 0 * * 5",
        "*/5 8-18/2 1,15 jan-mar MON-fri",
        "59 23 31 12 7",
        "0 0 ? * sun",
        "  0   0 1 1 0 ",
        "@daily",
        "@hourly",
        ",".join(map(str, range(60))) + " " + ",".join(map(str, range(24))) + " * * *",
    ],
)
def test_cron_expressions_are_known(text: str) -> None:
    assert is_schedule(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "* * * *",
        "* * * * * *",
        "60 * * * *",
        "9" * 5000 + " * * * *",
        "*/" + "9" * 5000 + " * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 8",
        "5-1 * * * *",
        "*-5 * * * *",
        "*/0 * * * *",
        "1, * * * *",
        "jan * * * *",
        "* * * mon *",
        "* * * * xyz",
        "-1 * * * *",
        "@sometimes",
        "daily",
        "\u0661 * * * *",
        "1," * 200_000 + "1 * * * *",
        " " * 1_000_000 + "* * * * *",
    ],
)
def test_what_is_none_is_not(text: str) -> None:
    assert not is_schedule(text)
