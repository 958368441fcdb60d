"""What every source must do, wherever its bytes are. Subclass with a ``bench`` fixture that gives a ``Bench``: of a
source with ranges ``RangeContract``, of one that is one stream ``StreamContract``, of a server ``RangeFaults`` or
``StreamFaults`` as well, and for what a DataVolume can have ``WorkerContract``.
"""

from __future__ import annotations

import logging
import random
import signal
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import yaml
from support.faultserver import FaultServer, Route
from support.importing import cdi, start

from cdi.base.faults import Exit, Fault
from cdi.base.units import KiB, MiB
from importer.cancel import Cancel
from importer.fetch.retry import RetryPolicy
from importer.progress import Progress, Stage
from importer.sources import HEAD_SIZE, Body, Source, SourceSpec
from importer.sources.table import open_source
from importer.target import Target
from importer.transfer import Request, Result, run

# More than the kernel buffers of a connection, so that what is stopped has not arrived already; no image format.
DATA = random.Random(11).randbytes(12 * MiB + 512)
OTHER = random.Random(12).randbytes(len(DATA))
_QUICK = RetryPolicy(attempts=3, first_s=0.01, longest_s=0.05)
_GOT = 1_000_000  # bytes, before an answer breaks off


@dataclass
class Bench:
    """``put(data)``: what the source has from now on. ``spec``: of the source. ``secrets``: what opens it, and must
    never be shown."""

    spec: SourceSpec
    put: Callable[[bytes], None]
    secrets: tuple[str, ...]
    opened: list[Source] = field(default_factory=list)

    def source(self) -> Source:
        """One of which nothing was asked yet."""
        self.opened.append(open_source(self.spec))
        return self.opened[-1]


@dataclass
class ServedBench(Bench):
    """``serve(**fields)``: the server answers with ``DATA`` like that (``Route``)."""

    serve: Callable[..., None] = lambda **_: None


def served(server: FaultServer, path: str, spec: SourceSpec, secrets: tuple[str, ...], **framing: Any) -> ServedBench:
    """``framing``: how the server answers when it does nothing wrong."""

    def serve(body: bytes = DATA, **fields: Any) -> None:
        server.add(path, Route(body, **(framing | fields)))

    serve()
    return ServedBench(spec, serve, secrets, serve=serve)


def drained(body: Body, data: bytearray) -> None:
    """All that it gives, into ``data``."""
    buffer = memoryview(bytearray(100_003))
    try:
        while count := body.readinto(buffer):
            data += buffer[:count]
    finally:
        body.close()


def content(body: Body) -> bytes:
    data = bytearray()
    drained(body, data)
    return bytes(data)


def imported(bench: Bench, target: Path, progress: Progress | None = None, cancel: Cancel | None = None) -> Result:
    request = Request(bench.spec, Target.at_path(target), retry=_QUICK)
    return run(request, progress or Progress(), Cancel() if cancel is None else cancel)


class _Stopping(Progress):
    """Requests the end after so many bytes."""

    def __init__(self, cancel: Cancel, after: int) -> None:
        super().__init__()
        self._cancel, self._after = cancel, after

    def fetched(self, count: int) -> None:
        super().fetched(count)
        if self.bytes_fetched >= self._after:
            self._cancel.request()


class _SourceContract:
    @pytest.fixture(autouse=True)
    def closed(self, bench: Bench, caplog: pytest.LogCaptureFixture) -> Iterator[None]:
        """What a test opened is closed, and whatever it did, nothing secret is in the log."""
        caplog.set_level(logging.DEBUG)
        yield
        for source in bench.opened:
            source.close()
            source.close()  # does no harm
        assert not [secret for secret in bench.secrets if secret in caplog.text]

    def test_a_probe_tells_the_head_and_costs_no_payload(self, bench: Bench) -> None:
        facts = bench.source().probe()
        assert facts.head == DATA[:HEAD_SIZE]
        assert facts.name == bench.opened[0].name
        assert facts.resource

    def test_all_of_it_is_read_in_order(self, bench: Bench) -> None:
        source = bench.source()
        source.probe()
        assert content(source.open(0, None)) == DATA

    def test_what_is_small_is_known_after_the_probe(self, bench: Bench) -> None:
        bench.put(DATA[:1000])
        source = bench.source()
        facts = source.probe()
        assert (facts.size, facts.head) == (1000, DATA[:1000])
        assert content(source.open(0, None)) == DATA[:1000]

    def test_what_is_empty_is_no_image(self, bench: Bench) -> None:
        bench.put(b"")
        with pytest.raises(Fault) as caught:
            bench.source().probe()
        assert caught.value.code == "SourceEmpty"

    def test_another_version_is_never_taken_for_the_same(self, bench: Bench) -> None:
        source = bench.source()
        source.probe()
        content(source.open(0, None))
        bench.put(OTHER)
        with pytest.raises(Fault) as caught:
            content(source.open(0, None))
        assert caught.value.code == "SourceChanged"

    def test_an_interrupt_from_another_thread_ends_a_reading(self, bench: Bench) -> None:
        source = bench.source()
        source.probe()
        body = source.open(0, None)
        assert body.readinto(memoryview(bytearray(1000))) > 0
        thread = threading.Thread(target=source.interrupt)
        thread.start()
        thread.join()
        with pytest.raises(Fault) as caught:
            content(body)
        assert caught.value.code == "Cancelled"

    def test_nothing_secret_is_in_what_it_says(self, bench: Bench, tmp_path: Path) -> None:
        assert bench.secrets
        source = bench.source()
        said = f"{source.name} {source.probe()} {imported(bench, tmp_path / 'disk.img').plan}"
        assert not [secret for secret in bench.secrets if secret in said]

    def test_an_import_makes_the_disk_and_counts_its_bytes(self, bench: Bench, tmp_path: Path) -> None:
        progress = Progress()
        result = imported(bench, tmp_path / "disk.img", progress)
        assert (tmp_path / "disk.img").read_bytes() == DATA
        snapshot = progress.snapshot()
        assert (snapshot.stage, snapshot.percent) == (Stage.DONE, 100.0)
        assert (snapshot.bytes_done, snapshot.bytes_total, result.disk_size) == (len(DATA), len(DATA), len(DATA))


class RangeContract(_SourceContract):
    def test_a_probe_tells_size_ranges_and_a_strong_validator(self, bench: Bench) -> None:
        facts = bench.source().probe()
        assert (facts.size, facts.ranges, facts.once) == (len(DATA), True, False)
        assert facts.etag is not None
        assert facts.etag.startswith('"')

    def test_a_range_is_given_exactly(self, bench: Bench) -> None:
        source = bench.source()
        source.probe()
        for offset, length in ((0, 1), (70, 5000), (HEAD_SIZE - 1, 2), (len(DATA) - 3, 3), (5, 0)):
            assert content(source.open(offset, length)) == DATA[offset : offset + length]
        assert content(source.open(len(DATA) - 10, None)) == DATA[-10:]

    def test_several_threads_read_at_once(self, bench: Bench) -> None:
        source = bench.source()
        source.probe()
        step = 700 * KiB
        with ThreadPoolExecutor(4) as pool:
            starts = range(0, len(DATA), step)
            parts = pool.map(lambda start: content(source.open(start, min(step, len(DATA) - start))), starts)
            assert b"".join(parts) == DATA

    def test_a_cancelled_import_goes_on_where_it_stopped(self, bench: Bench, tmp_path: Path) -> None:
        cancel, target = Cancel(), tmp_path / "disk.img"
        with pytest.raises(Fault) as caught:
            imported(bench, target, _Stopping(cancel, 9 * MiB), cancel)
        assert caught.value.code == "Cancelled"
        assert not target.exists()
        progress = Progress()
        result = imported(bench, target, progress)
        assert target.read_bytes() == DATA
        assert result.bytes_kept >= 4 * MiB
        assert progress.bytes_fetched <= len(DATA) - result.bytes_kept + HEAD_SIZE


class StreamContract(_SourceContract):
    def test_a_stream_is_read_from_its_first_byte(self, bench: Bench) -> None:
        source = bench.source()
        assert not source.probe().ranges
        with pytest.raises(ValueError, match="first byte"):
            source.open(1, None)

    def test_a_cancelled_import_says_that_it_begins_anew_and_does(self, bench: Bench, tmp_path: Path) -> None:
        cancel, target = Cancel(), tmp_path / "disk.img"
        with pytest.raises(Fault) as caught:
            imported(bench, target, _Stopping(cancel, 9 * MiB), cancel)
        assert caught.value.code == "CancelledUnkept"
        assert not target.exists()
        assert imported(bench, target).bytes_kept == 0
        assert target.read_bytes() == DATA


class _ServerFaults:
    """``first``: the number of the request that gives payload, the probe's or the one after it."""

    first: int

    @pytest.mark.parametrize("status", [401, 403, 404, 410])
    def test_a_refusal_is_for_good_and_says_what_to_do(self, bench: ServedBench, status: int) -> None:
        bench.serve(status=status)
        with pytest.raises(Fault) as caught:
            bench.source().probe()
        assert caught.value.permanent
        assert caught.value.entry.exit in (Exit.SOURCE, Exit.RIGHTS)
        assert not [secret for secret in bench.secrets if secret in caught.value.message]

    @pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
    def test_a_server_that_is_not_well_may_be_tomorrow(self, bench: ServedBench, status: int) -> None:
        bench.serve(status=status)
        with pytest.raises(Fault) as caught:
            bench.source().probe()
        assert not caught.value.permanent
        assert caught.value.entry.exit is Exit.TRANSIENT

    @pytest.mark.parametrize(
        ("broken", "code"),
        [("cut_at", "SourceTruncated"), ("stall_at", "SourceStalled")],
    )
    def test_an_answer_that_breaks_off_says_where_and_is_no_end(
        self, bench: ServedBench, broken: str, code: str
    ) -> None:
        bench.serve(**{broken: {self.first: _GOT}})
        fault, data = self.broken(bench)
        assert (fault.code, fault.permanent) == (code, False)
        assert data == DATA[:_GOT]
        assert not [secret for secret in bench.secrets if secret in fault.message]

    def broken(self, bench: ServedBench) -> tuple[Fault, bytes]:
        """How a reading ends, and what it gave."""
        source, data = bench.source(), bytearray()
        source.probe()
        with pytest.raises(Fault) as caught:
            drained(source.open(0, None), data)
        assert caught.value.values["got"] == len(data)
        return caught.value, bytes(data)

    @pytest.mark.parametrize("broken", ["cut_at", "stall_at"])
    def test_an_import_outlives_it(self, bench: ServedBench, broken: str, tmp_path: Path) -> None:
        bench.serve(**{broken: {self.first: _GOT, self.first + 1: _GOT}})
        imported(bench, tmp_path / "disk.img")
        assert (tmp_path / "disk.img").read_bytes() == DATA

    def test_an_import_waits_for_a_server_that_asks_it_to(self, bench: ServedBench, tmp_path: Path) -> None:
        bench.serve(first=(1, 503), headers={"Retry-After": "1"})
        imported(bench, tmp_path / "disk.img")
        assert (tmp_path / "disk.img").read_bytes() == DATA

    def test_a_version_that_came_in_the_middle_is_imported_whole(self, bench: ServedBench, tmp_path: Path) -> None:
        bench.serve(changes=(self.first, OTHER), cut_at={self.first: _GOT})
        result = imported(bench, tmp_path / "disk.img")
        assert (tmp_path / "disk.img").read_bytes() == OTHER
        assert [note for note in result.notes if note.startswith("SourceChanged: ")]


class RangeFaults(_ServerFaults):
    first = 2

    def test_a_reset_says_where_and_is_no_end(self, bench: ServedBench) -> None:
        bench.serve(reset_at={self.first: _GOT})
        fault, data = self.broken(bench)
        assert (fault.code, fault.permanent) == ("ConnectionLost", False)
        assert data == DATA[: len(data)]  # what was under way is lost with it

    def test_an_import_outlives_a_reset(self, bench: ServedBench, tmp_path: Path) -> None:
        bench.serve(reset_at={2: _GOT, 3: _GOT})
        imported(bench, tmp_path / "disk.img")
        assert (tmp_path / "disk.img").read_bytes() == DATA

    def test_ranges_that_are_given_no_more_are_a_fault_and_no_other_bytes(self, bench: ServedBench) -> None:
        bench.serve(ignore_ranges_after=1)
        source = bench.source()
        source.probe()
        with pytest.raises(Fault) as caught:
            source.open(5 * MiB, 1000)
        assert caught.value.code == "RangesWithdrawn"


class StreamFaults(_ServerFaults):
    first = 1

    def test_more_bytes_than_were_announced_are_a_fault(self, bench: ServedBench) -> None:
        bench.serve(trailing=b"more")
        source = bench.source()
        source.probe()
        with pytest.raises(Fault) as caught:
            content(source.open(0, None))
        assert caught.value.code == "SourceTooLong"


# --- what a DataVolume can have ---------------------------------------------------------------------------------------


@dataclass
class Ordered:
    """``source``: a member of ``spec.source`` with its own, which makes ``disk``. ``objects``: what it refers to.
    ``secrets``: must never be shown."""

    source: Mapping[str, Any]
    disk: bytes
    objects: Sequence[Mapping[str, Any]] = ()
    secrets: tuple[str, ...] = ()

    def documents(self) -> str:
        size = {"storage": {"resources": {"requests": {"storage": str(len(self.disk))}}}}
        volume = {"apiVersion": "cdi.kubevirt.io/v1beta1", "kind": "DataVolume", "metadata": {"name": "disk"}}
        return yaml.safe_dump_all([*self.objects, {**volume, "spec": {"source": dict(self.source), **size}}])


class WorkerContract:
    """From a DataVolume to its disk: both sides' modules, through ``cdi run`` and the worker's own program."""

    def arguments(self, ordered: Ordered, directory: Path) -> list[object]:
        manifest = directory / "manifest.yaml"
        manifest.write_text(ordered.documents())
        return ["run", "-f", manifest, "--data", directory / "data"]

    def test_a_datavolume_becomes_its_disk_and_shows_no_secret(self, ordered: Ordered, tmp_path: Path) -> None:
        outcome = cdi(*self.arguments(ordered, tmp_path))
        assert outcome.status == 0, outcome.stderr
        place = tmp_path / "data/default/disk"
        disk = (place / "disk.img").read_bytes()
        assert disk[: len(ordered.disk)] == ordered.disk
        assert not any(disk[len(ordered.disk) :])
        kept = [path.read_text() for path in place.iterdir() if path.name != "disk.img"]
        assert kept
        said = "".join([outcome.stdout, outcome.stderr, *kept])
        assert not [secret for secret in ordered.secrets if secret in said]


class FetchingContract(WorkerContract):
    """Of a source with bytes: they come from ``server``, at ``path``."""

    path: str

    def test_it_stops_when_it_is_told_to(self, ordered: Ordered, server: FaultServer, tmp_path: Path) -> None:
        server.add(self.path, Route(DATA, stall_at=dict.fromkeys(range(2, 10), _GOT)))
        process = start(*self.arguments(ordered, tmp_path))
        server.wait_for_bytes(HEAD_SIZE + _GOT, timeout_s=60)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == Exit.CANCELLED
        assert not (tmp_path / "data/default/disk/disk.img").exists()
