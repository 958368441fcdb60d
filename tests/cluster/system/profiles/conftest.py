"""Storage classes of a test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.kinds import Cluster, Namespace


@pytest.fixture
def new_class(kinds: Cluster, space: Namespace) -> Iterator[str]:
    """The name of a class of this test, which the test may create."""
    name = f"class-{space.name}"
    yield name
    kinds.delete("StorageClass", name)
