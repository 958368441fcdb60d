"""A writer killed at any moment: what the journal keeps is on the disk."""

from __future__ import annotations

import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from cdi.base.units import KiB, MiB
from importer.fetch.journal import Header, Journal
from importer.fetch.rangeset import RangeSet
from importer.sinks.file import FileSink
from importer.sinks.options import SinkOptions

SIZE = 32 * MiB
UNIT = 64 * KiB

# Four threads write units of a known pattern in random order and mark them; the main thread makes checkpoints. It says
# one line per unit, so that the parent can choose its moment without a clock.
WRITER = r"""
import os, random, sys, threading
sys.path.insert(0, sys.argv[1])
from pathlib import Path
from importer.fetch.journal import Header, Journal
from importer.sinks.file import FileSink
from importer.sinks.options import SinkOptions
from cdi.base.units import KiB, MiB

path, seed, direct = Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "direct"
size, unit = 32 * MiB, 64 * KiB
sink = FileSink(path, size, SinkOptions(resume=True, direct=direct))
header = Header(source="s", resource="u", size=1, etag='"e"', target=sink.identity(), plan="p", disk_size=size)
def ready(kept):
    sink.start_anew() if kept.nothing else sink.go_on()
    return sink.identity()

journal, kept = Journal.open(path.with_name("journal"), header, ready=ready)
units = [start for start in range(0, size, unit) if not kept.ranges.covers(start, start + unit)]
random.Random(seed).shuffle(units)
lock = threading.Lock()

def work():
    while True:
        with lock:
            if not units:
                return
            start = units.pop()
        sink.write(start, memoryview(random.Random(start).randbytes(unit)))
        journal.written(start, unit)
        os.write(1, b"%d\n" % start)  # one write: lines of several threads do not mix

threads = [threading.Thread(target=work, daemon=True) for _ in range(4)]
for thread in threads:
    thread.start()
while any(thread.is_alive() for thread in threads):
    journal.durable(sink.sync)
journal.durable(sink.sync)
os.write(1, b"done\n")
"""


def run_until(path: Path, seed: int, lines: int, mode: str) -> set[int]:
    """Kill -9 the writer after it has said ``lines`` lines; the units it said it had marked."""
    root = Path(__file__).resolve().parents[3]
    command = [sys.executable, "-c", WRITER, str(root), str(path), str(seed), mode]
    said: set[int] = set()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for line in writer.stdout:
            if line == "done\n":
                break
            said.add(int(line))
            if len(said) >= lines:
                writer.kill()
                break
        for line in writer.stdout:  # what it said before it died; its last line may be torn
            if line.endswith("\n") and line != "done\n":
                said.add(int(line))
    return said


def holds_the_pattern(sink: FileSink, ranges: RangeSet) -> bool:
    return all(
        sink.read(unit, UNIT) == random.Random(unit).randbytes(UNIT)
        for start, end in ranges
        for unit in range(start, end, UNIT)
    )


def header_of(sink: FileSink) -> Header:
    return Header(source="s", resource="u", size=1, etag='"e"', target=sink.identity(), plan="p", disk_size=SIZE)


@pytest.mark.parametrize("mode", ["direct", "buffered"])
@pytest.mark.parametrize("seed", range(5))
def test_whatever_the_moment_of_death_kept_ranges_are_on_the_disk(tmp_path: Path, seed: int, mode: str) -> None:
    path = tmp_path / "disk.img"
    said = run_until(path, seed, random.Random(seed).randrange(1, SIZE // UNIT), mode)
    with_sink = FileSink(path, SIZE, SinkOptions(resume=True, direct=mode == "direct"))
    journal, kept = Journal.open(path.with_name("journal"), header_of(with_sink))
    journal.close()
    assert all(kept.ranges.covers(unit, unit + UNIT) for unit in said)
    assert kept.ranges.total % UNIT == 0
    assert holds_the_pattern(with_sink, kept.ranges)
    with_sink.close()


def test_after_a_reboot_only_what_was_synced_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    run_until(path, 7, 300, "direct")
    sink = FileSink(path, SIZE, SinkOptions(resume=True))
    content = path.with_name("journal").read_bytes()
    journal, durable = Journal.open(path.with_name("journal"), replace(header_of(sink), boot_id="another boot"))
    journal.close()
    path.with_name("journal").write_bytes(content)
    journal, written = Journal.open(path.with_name("journal"), header_of(sink))
    journal.close()
    assert 0 < durable.ranges.total <= written.ranges.total
    assert all(written.ranges.covers(start, end) for start, end in durable.ranges)
    assert holds_the_pattern(sink, durable.ranges)
    sink.close()


def test_dying_again_and_again_ends_with_the_whole_disk(tmp_path: Path) -> None:
    path = tmp_path / "disk.img"
    for seed in range(20):
        if len(run_until(path, seed, 97, "direct")) < 97:
            break
    sink = FileSink(path, SIZE, SinkOptions(resume=True))
    journal, kept = Journal.open(path.with_name("journal"), header_of(sink))
    assert list(kept.ranges) == [(0, SIZE)]
    assert holds_the_pattern(sink, kept.ranges)
    sink.publish()
    journal.remove()
    sink.close()
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["disk.img"]
