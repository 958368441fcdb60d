"""The digest of what an import is told: workers and failures carry it, and outlive the controller's version."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from cdi.sources.parameters import Parameters

EVERYTHING = Parameters(
    "http", "http://h/a", "s", "c", "sha256:0", True, ("A: 1",), ("b",), archive=True, preallocation=True
)


@pytest.mark.parametrize(
    ("parameters", "digest"),
    [
        (Parameters("http"), "fd4ebaa93de349d1"),
        (Parameters("none"), "0e634ac512e27fe1"),
        (EVERYTHING, "5d1d235c2cf44149"),
        (Parameters("s3", "http://h/b", secret="k", preallocation=True), "7c314cbd1e8f8981"),
    ],
    ids=["least", "blank", "everything", "s3"],
)
def test_the_digests_of_the_first_version_stay(parameters: Parameters, digest: str) -> None:
    """These were computed by it. Another value starts every running import anew at an upgrade."""
    assert parameters.digest == digest


@dataclass(frozen=True, slots=True)
class _Later(Parameters):
    rate_limit: str = ""


def test_a_member_that_came_later_counts_only_where_it_says_something() -> None:
    assert _Later("http").digest == Parameters("http").digest
    assert _Later("http", rate_limit="1Mi").digest not in (Parameters("http").digest, _Later("http", "1Mi").digest)
