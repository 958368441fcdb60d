"""How many xz decoders work at once: each has a dictionary, and a worker 600 MB."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from support.memorysource import MemorySource
from support.packed import some_plain, tool

from cdi.base.units import KiB, MiB
from importer.cancel import Cancel
from importer.decode.xz_blocks import XzBlockReader
from importer.fetch.governor import Limits
from importer.fetch.journal import Kept
from importer.fetch.reader import RangeReader
from importer.fetch.retry import RetryPolicy
from importer.plan import Wishes, make_plan
from importer.progress import Progress
from importer.routes import blocks as module
from importer.routes.blocks import _Blocks, _dictionary, _fitting
from importer.routes.job import Job
from importer.sinks.memory import MemorySink


def opened(data: bytes) -> XzBlockReader:
    return XzBlockReader(lambda offset, length: data[offset : offset + length], len(data))


@pytest.mark.parametrize(("preset", "size"), [("-0", 256 * KiB), ("-6", 8 * MiB), ("-8", 32 * MiB), ("-9", 64 * MiB)])
def test_a_block_tells_its_dictionary(preset: str, size: int) -> None:
    data = tool(f"xz {preset}c --block-size=16KiB", bytes(64 * KiB))
    for block in opened(data).blocks:
        assert _dictionary(data[block.offset :]) == size


@pytest.mark.parametrize("header", [b"", b"\x02", b"\x02\x00\x21", b"\xff" * 100])
def test_a_header_that_tells_nothing_counts_as_the_largest(header: bytes) -> None:
    assert _dictionary(header) == 64 * MiB


@pytest.mark.parametrize(
    ("needed", "least", "most"),
    [(0, 2, 8), (MiB, 2, 8), (24 * MiB, 2, 8), (32 * MiB, 2, 6), (64 * MiB, 2, 3), (128 * MiB, 1, 1), (1 << 40, 1, 1)],
)
def test_the_more_memory_a_decoder_needs_the_fewer_there_are(needed: int, least: int, most: int) -> None:
    fitting = _fitting(Limits(), needed)
    assert (fitting.least, fitting.most) == (least, most)
    assert _fitting(Limits(1, 1), needed).most == 1


def a_job(data: bytes, plain: int) -> Job:
    plan = make_plan(MemorySource(data), lambda offset, length: data[offset : offset + length], Wishes())
    sink = MemorySink(plain)

    def wrote(offset: int, length: int) -> None:
        """The marks are another test's business."""

    return cast(Job, SimpleNamespace(plan=plan, sink=sink, limit=plain, wrote=wrote, kept=Kept(), progress=Progress()))


def test_blocks_with_larger_dictionaries_than_the_first_wait_for_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """Several files in a row are one file, and only the first block was looked at."""
    plain = some_plain(3 * MiB)
    parts = [plain[:MiB], plain[MiB : 2 * MiB], plain[2 * MiB :]]
    data = b"".join(tool(f"xz {preset}c", part) for preset, part in zip(("-0", "-9", "-9"), parts, strict=True))
    index, job = opened(data), a_job(data, len(plain))
    asked: list[int] = []

    class Noting(module.Budget):
        def holding(self, size: int) -> Any:
            asked.append(size)
            return super().holding(size)

    monkeypatch.setattr(module, "Budget", Noting)
    reader = RangeReader(MemorySource(data), RetryPolicy(), Cancel(), lambda _count: None)
    blocks = _Blocks(job, index, reader, len(plain))
    for block in index.blocks:
        blocks.write(block, memoryview(bytearray(3 * MiB)))
    assert asked == [256 * KiB, MiB, MiB]  # of 64 MiB no more is used than the block is large
    assert bytes(cast(MemorySink, job.sink).data) == plain
