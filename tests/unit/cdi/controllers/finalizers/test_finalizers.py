"""What is taken off objects in deletion, and what is not."""

from __future__ import annotations

import pytest

from cdi.controllers.finalizers.decide import OF_CDI, left_over
from cdi.kube.objects import Metadata

GOES = "2026-01-01T00:00:00Z"
PROTECTION = "kubernetes.io/pvc-protection"


@pytest.mark.parametrize("finalizer", sorted(OF_CDI))
def test_ours_go_and_others_stay(finalizer: str) -> None:
    assert left_over(Metadata(finalizers=[finalizer], deletion_timestamp=GOES)) == []
    shared = [PROTECTION, finalizer, "example.com/mine"]
    assert left_over(Metadata(finalizers=shared, deletion_timestamp=GOES)) == [PROTECTION, "example.com/mine"]


@pytest.mark.parametrize("finalizer", sorted(OF_CDI))
def test_nothing_is_taken_off_what_lives(finalizer: str) -> None:
    assert left_over(Metadata(finalizers=[finalizer])) is None


@pytest.mark.parametrize("finalizers", [[], [PROTECTION], ["cdi.kubevirt.io/somebodyElses"]])
def test_nothing_is_written_where_nothing_is_ours(finalizers: list[str]) -> None:
    assert left_over(Metadata(finalizers=finalizers, deletion_timestamp=GOES)) is None
