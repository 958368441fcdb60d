"""An import that is held for what is in its image: the payload is fetched twice, however often the worker starts."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.loopdev import loop_device, mounted
from support.podroot import PodRun, give_to_pods, run_in_pod

MiB = 1024 * 1024
DISK = os.urandom(20 * MiB)
WHOLE = gzip.compress(DISK, 1)
CUT = WHOLE[:-1000]
DAMAGED = CUT + bytes(1000)
HEAD = 192 * 1024

Start = Callable[[str], PodRun]


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


@pytest.fixture(params=["file", "device"])
def start(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Start]:
    """The container of one pod, again and again."""

    def variables(url: str) -> dict[str, str]:
        return {"IMPORTER_ENDPOINT": url, "IMPORTER_IMAGE_SIZE": "20Mi"}

    if request.param == "file":
        with mounted(tmp_path, "ext4", 64 * MiB) as place:
            give_to_pods(place)
            yield lambda url: run_in_pod(tmp_path, variables(url), data=place)
            assert {path.name for path in place.iterdir()} == {"lost+found", "disk.img"}
            assert (place / "disk.img").read_bytes() == DISK
        return
    with loop_device(tmp_path, 20 * MiB) as device:
        yield lambda url: run_in_pod(tmp_path, variables(url), device=device)
        assert device.read_bytes() == DISK


BY_ETAG = Route(body=CUT)
BY_DATE = Route(body=CUT, etag=None, last_modified="Mon, 01 Jan 2024 00:00:00 GMT")
BY_WEAK_ETAG = replace(BY_DATE, etag='W/"1"')


@pytest.mark.parametrize("broken", [BY_ETAG, BY_DATE, BY_WEAK_ETAG], ids=["etag", "date", "weak etag and date"])
def test_a_broken_image_is_fetched_twice_and_a_mended_one_is_imported(
    start: Start, server: FaultServer, broken: Route
) -> None:
    url = server.add("/disk.gz", broken)
    first = start(url)
    assert (first.status, "[CompressedTruncated]" in first.message) == (1, True)
    assert server.bytes_sent >= len(CUT)
    assert start(url).message == first.message
    assert server.bytes_sent >= 2 * len(CUT)

    for _ in range(3):
        requests, sent = len(server.requests), server.bytes_sent
        again = start(url)
        assert (again.status, again.message) == (1, first.message)
        assert len(server.requests) - requests <= 2
        assert server.bytes_sent - sent <= HEAD

    server.add("/disk.gz", Route(body=WHOLE))
    assert start(url).status == 0


def test_damage_on_the_way_is_no_verdict_about_the_image(start: Start, server: FaultServer) -> None:
    """The server and its ETag were right all the time: a proxy, a cache or memory was not."""
    url = server.add("/disk.gz", Route(body=DAMAGED, etag='"1"'))
    first = start(url)
    assert (first.status, "[CompressedDamaged]" in first.message) == (1, True), first.message
    server.add("/disk.gz", Route(body=WHOLE, etag='"1"'))
    assert start(url).status == 0


def test_the_copy_of_another_mirror_may_be_whole(start: Start, server: FaultServer) -> None:
    """It has the same size and date, and may have the same ETag, which nginx makes of them."""
    with FaultServer("127.0.0.2") as mirror:
        known = {"etag": '"1"', "last_modified": "Mon, 01 Jan 2024 00:00:00 GMT"}
        places = [server.add("/a.gz", Route(body=DAMAGED, **known)), mirror.add("/b.gz", Route(body=WHOLE, **known))]
        url = server.add("/disk.gz", Route(redirect=lambda number: places[number > 2]))
        for _ in range(2):
            first = start(url)
            assert (first.status, "[CompressedDamaged]" in first.message) == (1, True), first.message
        assert start(url).status == 0


def test_a_source_without_anything_to_know_it_by_is_looked_at_again(start: Start, server: FaultServer) -> None:
    """It might be another file by now."""
    url = server.add("/disk.gz", Route(body=CUT, etag=None))
    assert start(url).status == 1
    server.add("/disk.gz", Route(body=WHOLE, etag=None))
    assert start(url).status == 0


def test_what_the_network_did_is_no_verdict_about_the_image(start: Start, server: FaultServer) -> None:
    url = server.add("/disk.gz", Route(body=WHOLE, after=(1, 403)))
    assert start(url).status == 1
    server.add("/disk.gz", Route(body=WHOLE))
    assert start(url).status == 0
