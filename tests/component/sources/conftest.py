from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from support.faultserver import FaultServer

from importer.sources import Body, SourceSpec
from importer.sources.http import HttpSource


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture
def other_server() -> Iterator[FaultServer]:
    """Another host: redirects to it leave the origin."""
    with FaultServer("127.0.0.2") as server:
        yield server


@pytest.fixture
def a_source() -> Iterator[Callable[..., HttpSource]]:
    """Makes sources with short time limits, closed after the test."""
    sources: list[HttpSource] = []

    def make(url: str, **fields: object) -> HttpSource:
        limits: dict[str, object] = {"connect_timeout_s": 2.0, "stall_timeout_s": 2.0}
        source = HttpSource(SourceSpec(url, **(limits | fields)))  # type: ignore[arg-type]
        sources.append(source)
        return source

    yield make
    for source in sources:
        source.close()


@pytest.fixture
def read() -> Callable[..., bytes]:
    """Reads a body to its proven end and closes it."""

    def read(body: Body, piece: int = 10_007) -> bytes:
        data, buffer = bytearray(), memoryview(bytearray(piece))
        try:
            while count := body.readinto(buffer):
                data += buffer[:count]
        finally:
            body.close()
        return bytes(data)

    return read
