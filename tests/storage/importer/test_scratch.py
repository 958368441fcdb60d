"""Devices in a pod: what must be kept whole first asks for a scratch volume, and takes no room of the node."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.loopdev import MiB, loop_device

from cdi.base.faults import Fault
from importer.cancel import Cancel
from importer.progress import Progress
from importer.routes.place import FilePark
from importer.sources import SourceSpec
from importer.target import Target
from importer.transfer import Request, run


def test_an_image_that_cannot_be_written_on_arrival_asks_for_scratch_before_its_payload(tmp_path: Path) -> None:
    image = tmp_path / "disk.vhdx"
    subprocess.run(["qemu-img", "create", "-q", "-f", "vhdx", image, "16M"], check=True)
    with FaultServer() as server, loop_device(tmp_path, 32 * MiB) as device:
        url = server.add("/disk.vhdx", Route(body=image.read_bytes(), ranges=False))
        with pytest.raises(Fault) as caught:
            run(Request(SourceSpec(url), Target(device, state=tmp_path, in_pod=True)), Progress(), Cancel())
        assert caught.value.code == "ScratchRequired"
        assert len(server.requests) <= 2


def test_a_park_asks_for_a_directory_only_when_memory_is_full(tmp_path: Path) -> None:
    asked: list[Path] = []

    def directory() -> Path:
        asked.append(tmp_path)
        return tmp_path

    with FilePark(directory) as park:
        pieces = [bytes([number]) * MiB for number in range(1, 12)]
        for number, piece in enumerate(pieces[:8]):
            park.put(number * 2 * MiB, memoryview(piece))
        assert asked == []
        for number, piece in enumerate(pieces[8:], 8):
            park.put(number * 2 * MiB, memoryview(piece))
        assert asked == [tmp_path]
        assert all(park.get(number * 2 * MiB, MiB) == piece for number, piece in enumerate(pieces))
    assert list(tmp_path.iterdir()) == []
