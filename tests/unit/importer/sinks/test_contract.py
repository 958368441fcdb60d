"""The sink contract on a memory disk and on files of this machine's file system."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.sinkcontract import Bench, FullSink, SinkContract

from importer.sinks.file import FileSink
from importer.sinks.memory import MemorySink
from importer.sinks.options import SinkOptions


class TestMemorySink(SinkContract):
    @pytest.fixture
    def bench(self) -> Bench:
        disks: list[MemorySink] = []

        def open_(size: int, resume: bool) -> FullSink:
            if not (resume and disks):
                disks.append(MemorySink(size))
            return disks[-1]

        return Bench(open_, lambda: bytes(disks[-1].data))


class TestFileSink(SinkContract):
    @pytest.fixture(params=["sparse", "preallocated", "buffered", "unaligned"])
    def bench(self, request: pytest.FixtureRequest, tmp_path: Path) -> Bench:
        path = tmp_path / "disk.img"
        kind = request.param

        def open_(size: int, resume: bool) -> FullSink:
            return FileSink(
                path,
                size,
                SinkOptions(
                    resume=resume,
                    preallocate=kind == "preallocated",
                    unaligned=kind == "unaligned",
                    direct=kind != "buffered",
                ),
            )

        return Bench(open_, lambda: path.read_bytes() if path.exists() else b"")
