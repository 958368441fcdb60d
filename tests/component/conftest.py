from __future__ import annotations

from collections.abc import Iterator

import pytest
from support.apiserver import ApiServer


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """A real API server and etcd, with nothing installed."""
    with ApiServer(tmp_path_factory.mktemp("api")) as server:
        yield server
