"""What ``cdi`` says of a source before its bytes travel."""

from __future__ import annotations

import io
import random
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import cdi, start

MiB = 1024 * 1024


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


def test_inspect_sees_in_the_tables_that_the_end_of_the_file_is_missing(tmp_path: Path) -> None:
    image = tmp_path / "disk.qcow2"
    subprocess.run(["qemu-img", "create", "-q", "-f", "qcow2", image, "100M"], check=True)
    writes = ["-c", "write -P 7 0 20M", "-c", "write -P 8 50M 10M"]
    subprocess.run(["qemu-io", *writes, image], check=True, stdout=subprocess.DEVNULL)
    whole = cdi("inspect", image)
    assert (whole.status, "allocated:     30 MiB" in whole.stdout) == (0, True)
    with image.open("r+b") as file:
        file.truncate(25 * MiB)
    cut = cdi("inspect", image)
    assert (cut.status, cut.stdout) == (6, "")
    assert "[ImageTruncated] the qcow2 image ends at byte 26214400" in cut.stderr


def test_a_packed_archive_that_holds_one_disk_is_told_before_it_is_fetched(server: FaultServer, tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        member = tarfile.TarInfo("disk.raw")
        member.size = 4 * MiB
        archive.addfile(member, io.BytesIO(random.Random(3).randbytes(4 * MiB)))
    stalled = dict.fromkeys(range(1, 10), 1 * MiB)  # what is wanted after the probe never comes
    url = server.add("/disk.tar.gz", Route(body=packed.getvalue(), stall_at=stalled))
    process = start("import", url, tmp_path / "disk.img")
    try:
        assert process.stderr is not None
        assert "note: This is a tar archive" in next(line for line in process.stderr if "note: This is" in line)
    finally:
        process.kill()
        process.communicate()
