"""Either end of a clone is killed: the next process goes on, and what travels twice is counted."""

from __future__ import annotations

import os
import random
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from support.fuzzing import seed
from support.ports import free_port
from support.uploading import LOOPBACK, Trust

from cdi.base.wire.clone import CloneEnvironment
from cdi.base.wire.termination import decode_termination

MiB = 1 << 20
DATA = 96 * MiB
IN_FLIGHT = 8 * MiB  # written, and not yet marked as that: an extent of each connection


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@contextmanager
def running(module: str, variables: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.getcwd(), **variables}
    process = subprocess.Popen(
        [sys.executable, "-m", module],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


def written(part: Path) -> int:
    try:
        return part.stat().st_blocks * 512
    except FileNotFoundError:
        return 0


def until(part: Path, least: int) -> None:
    """So much of the unfinished disk is there."""
    while written(part) < least:
        time.sleep(0.002)


@pytest.mark.parametrize("victim", ["source", "target"])
def test_what_was_written_does_not_travel_again(trust: Trust, tmp_path: Path, victim: str) -> None:
    chance, port = random.Random(seed()), free_port()
    source, target = tmp_path / "source" / "disk.img", tmp_path / "target" / "disk.img"
    for path in (source, target):
        path.parent.mkdir()
    with source.open("wb") as file:
        file.write(chance.randbytes(DATA // 2))
        file.seek(DATA)
        file.write(chance.randbytes(DATA // 2))
    serving = trust.environment(target, CDI_TERMINATION_LOG=str(tmp_path / "target-said"), LISTEN_PORT=str(port))
    told = CloneEnvironment(
        mount_point=str(source.parent),
        upload_url=f"https://{LOOPBACK}:{port}/v1beta1/upload",
        server_ca=trust.servers.cert.read_text(),
    ).encode()
    told |= {"CLIENT_KEY": trust.client.key.read_text(), "CLIENT_CERT": trust.client.cert.read_text()}
    told |= {"CDI_TERMINATION_LOG": str(tmp_path / "source-said")}
    part = target.with_name("disk.img.part")
    at = chance.randrange(10 * MiB, DATA // 2)
    server_of, sender_of = ("uploadproxy.server.pod", serving), ("cloner.pod", told)
    with running(*server_of) as server, running(*sender_of) as sender:
        until(part, at)
        killed = server if victim == "target" else sender
        killed.kill()
        killed.wait()
        with running(*(server_of if victim == "target" else sender_of)) as second:
            last_server, last_sender = (second, sender) if victim == "target" else (server, second)
            _, log = last_server.communicate(timeout=120)
            last_sender.communicate(timeout=120)
            assert (last_server.returncode, last_sender.returncode) == (0, 0)
    assert target.read_bytes() == source.read_bytes()
    kept = [int(found) for found in re.findall(r"a clone of \d+ bytes begins, (\d+) of which are here", log)]
    assert max(kept) >= at - IN_FLIGHT
    ended = {name: decode_termination((tmp_path / f"{name}-said").read_text()) for name in ("source", "target")}
    assert {said.message for said in ended.values()} == {"Clone Complete"}
    # What was kept and what came since, together: no byte of the disk was taken twice.
    assert ended["target"].bytes_done == DATA
