"""Streams onto a block device go on where they were killed, though the first MiB was only in memory."""

from __future__ import annotations

import gzip
import hashlib
import random
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import cdi, kill, start
from support.loopdev import loop_device

MiB = 1024 * 1024
DATA = random.Random(11).randbytes(24 * MiB)
MEMBER = MiB


def in_members(data: bytes) -> bytes:
    return b"".join(gzip.compress(data[at : at + MEMBER], 1) for at in range(0, len(data), MEMBER))


@pytest.mark.parametrize(
    ("body", "options", "share"),
    [
        pytest.param(DATA, ["--checksum", f"sha256:{hashlib.sha256(DATA).hexdigest()}"], 0.8, id="raw-with-checksum"),
        pytest.param(in_members(DATA), [], 0.8, id="gzip-members"),
        # The head is made again from the start of the file, however much of that is none of it.
        pytest.param(gzip.compress(b"") * 10_000 + in_members(DATA), [], 1, id="gzip-members-behind-empty-ones"),
    ],
)
def test_a_killed_stream_onto_a_device_goes_on(body: bytes, options: list[str], share: float, tmp_path: Path) -> None:
    with FaultServer() as server, loop_device(tmp_path, 32 * MiB, dirty=True) as device:
        url = server.add("/disk", Route(body=body, trickle=(256 * 1024, 0.02)))
        command = ["import", url, device, "--state", tmp_path / "state", "--connections", "2", *options]
        first = start(*command)
        server.wait_for_bytes(len(body) // 2)
        kill(first)
        with open(device, "rb") as disk:
            assert not any(disk.read(MiB - 4096))  # behind it is the attempt's stamp
        before = server.bytes_sent
        server.add("/disk", Route(body=body))
        again = cdi(*command)
        assert again.status == 0, again.stderr
        with open(device, "rb") as disk:
            assert disk.read() == DATA + bytes(8 * MiB)
        # Not all of it: the head (two chunks), what was under way on each connection, and the probe.
        assert server.bytes_sent - before < len(body) * share
