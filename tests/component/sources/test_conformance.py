"""Every source that is served keeps the contract of sources: one class, or more, for each."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.faultserver import FaultServer
from support.sourcecontract import (
    DATA,
    Bench,
    FetchingContract,
    Ordered,
    RangeContract,
    RangeFaults,
    ServedBench,
    StreamContract,
    StreamFaults,
    WorkerContract,
    served,
)

from cdi.base.sources import SERVED
from cdi.base.units import MiB
from importer.sources import SourceSpec

PASSWORD, TOKEN = "hush-the-password", "hush-the-token"
STALL_S = 1.0
KEYS = {
    "apiVersion": "v1",
    "kind": "Secret",
    "metadata": {"name": "keys"},
    "stringData": {"accessKeyId": "somebody", "secretKey": PASSWORD},
}


def http_spec(server: FaultServer) -> SourceSpec:
    """Secrets wherever a user may have them."""
    url = server.url("/disk.img").replace("://", f"://somebody:{PASSWORD}@") + f"?signature={TOKEN}"
    return SourceSpec(url, secret_headers=(f"X-Token: {TOKEN}",), kind="http", stall_timeout_s=STALL_S)


def s3_spec(server: FaultServer) -> SourceSpec:
    return SourceSpec(server.url("/images/disk.img"), "somebody", PASSWORD, kind="s3", stall_timeout_s=STALL_S)


class TestHttpSource(RangeContract, RangeFaults):
    source = "http"

    @pytest.fixture
    def bench(self, server: FaultServer) -> ServedBench:
        return served(server, "/disk.img", http_spec(server), (PASSWORD, TOKEN))


class TestHttpSourceWithoutRanges(StreamContract, StreamFaults):
    source = "http"

    @pytest.fixture
    def bench(self, server: FaultServer) -> ServedBench:
        return served(server, "/disk.img", http_spec(server), (PASSWORD, TOKEN), ranges=False)


class TestS3Source(RangeContract, RangeFaults):
    source = "s3"

    @pytest.fixture
    def bench(self, server: FaultServer) -> ServedBench:
        return served(server, "/images/disk.img", s3_spec(server), (PASSWORD, "X-Amz-Signature"))


class TestFileSource(RangeContract):
    source = "file"

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Bench:
        path = tmp_path / "image.raw"
        path.write_bytes(DATA)
        return Bench(SourceSpec(str(path), "somebody", PASSWORD), path.write_bytes, (PASSWORD,))


class TestHttpDataVolume(FetchingContract):
    source, path = "http", "/disk.img"

    @pytest.fixture
    def ordered(self, server: FaultServer) -> Ordered:
        served(server, self.path, http_spec(server), ())
        token = {**KEYS, "metadata": {"name": "token"}, "stringData": {"any": f"X-Token: {TOKEN}"}}
        member = {"url": server.url(self.path), "secretRef": "keys", "secretExtraHeaders": ["token"]}
        return Ordered({"http": member}, DATA, [KEYS, token], (PASSWORD, TOKEN))

    def test_the_server_is_told_what_the_secrets_say(
        self, ordered: Ordered, server: FaultServer, tmp_path: Path
    ) -> None:
        self.test_a_datavolume_becomes_its_disk_and_shows_no_secret(ordered, tmp_path)
        assert {request.headers["x-token"] for request in server.requests} == {TOKEN}
        assert all(request.headers["authorization"].startswith("Basic ") for request in server.requests)


class TestS3DataVolume(FetchingContract):
    source, path = "s3", "/images/disk.img"

    @pytest.fixture
    def ordered(self, server: FaultServer) -> Ordered:
        served(server, self.path, s3_spec(server), ())
        member = {"url": server.url(self.path), "secretRef": "keys"}
        return Ordered({"s3": member}, DATA, [KEYS], (PASSWORD, "X-Amz-Signature"))


class TestBlankDataVolume(WorkerContract):
    source = "blank"

    @pytest.fixture
    def ordered(self) -> Ordered:
        return Ordered({"blank": {}}, bytes(3 * MiB))


def test_every_source_that_is_served_is_held_to_the_contract() -> None:
    benches = [held for name, held in globals().items() if name.startswith("Test")]
    by_source = {source.name: [held for held in benches if held.source == source.name] for source in SERVED}
    assert [name for name, held in by_source.items() if not held] == []
    imported = {source.name for source in SERVED if source.word}
    assert imported == {held.source for held in benches if issubclass(held, WorkerContract)}
    with_bytes = {source.name for source in SERVED if not source.is_empty}
    assert with_bytes == {held.source for held in benches if issubclass(held, RangeContract | StreamContract)}
