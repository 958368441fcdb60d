"""Bytes that are given once become a disk, and where they break off the import ends and nothing is left."""

from __future__ import annotations

import gzip
import hashlib
import io
import lzma
import os
import random
import tarfile
import threading
from dataclasses import replace
from pathlib import Path

import pytest
from support.giving import Giver
from support.hostile import vhd
from support.images import convert, write_disk
from support.packed import some_plain, tool

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer import transfer
from importer.cancel import Cancel
from importer.checksum import Checksum
from importer.plan import Route
from importer.progress import Progress, Stage
from importer.sinks.file import FileSink
from importer.sources import HEAD_SIZE
from importer.target import Target
from importer.transfer import Request, Result
from importer.verdict import Verdict

DISK = some_plain(3 * MiB + 512)


@pytest.fixture
def target(tmp_path: Path) -> Target:
    (tmp_path / "out").mkdir()
    target = Target.at_path(tmp_path / "out" / "disk.img", overwrite=True)
    return replace(target, verdict=Verdict(tmp_path / "verdict"))


def run(giver: Giver, target: Target, **wanted: object) -> Result:
    request = replace(Request(giver.source().opened, target), **wanted)  # type: ignore[arg-type]
    return transfer.run(request, Progress(), Cancel())


def fault_of(giver: Giver, target: Target, **wanted: object) -> Fault:
    with pytest.raises(Fault) as caught:
        run(giver, target, **wanted)
    return caught.value


def left(target: Target) -> list[str]:
    return sorted(os.listdir(target.path.parent))


def checksum_of(data: bytes) -> Checksum:
    return Checksum.parse("sha256:" + hashlib.sha256(data).hexdigest())


def image(format: str, folder: Path, *options: str) -> tuple[bytes, bytes]:
    """(the image, its disk)"""
    raw, made = folder / "raw", folder / "image"
    write_disk(raw)
    convert(format, *options)(folder, raw, made)
    return made.read_bytes(), raw.read_bytes()


@pytest.mark.parametrize("announced", [True, False])
@pytest.mark.parametrize(
    ("packing", "packed"),
    [
        ((), DISK),
        (("gz",), gzip.compress(DISK, 1)),
        (("xz",), lzma.compress(DISK, preset=0)),
        (("zst",), tool("zstd -q1c", DISK)),
        (("gz", "zst"), gzip.compress(tool("zstd -q1c", DISK), 1)),
    ],
    ids=["plain", "gz", "xz", "zst", "zst in gz"],
)
def test_a_raw_disk_is_written_as_it_comes(
    packing: tuple[str, ...], packed: bytes, announced: bool, target: Target
) -> None:
    chance = random.Random(3)
    giver = Giver(packed, lambda: chance.choice((1000, 16 * KiB, 70_000)), len(packed) if announced else None)
    result = run(giver, target, checksum=checksum_of(packed))
    assert (result.plan.route, result.plan.compression) == (Route.STREAM, packing)
    assert target.path.read_bytes() == DISK
    assert (result.bytes_fetched, giver.given, giver.interrupts) == (len(packed), len(packed), 0)
    assert left(target) == ["disk.img"]


@pytest.mark.parametrize(
    ("format", "options", "route"),
    [
        ("qcow2", (), Route.PLACE),
        ("qcow2", ("-c",), Route.PLACE),
        ("vmdk", (), Route.SPOOL),
        ("vmdk", ("-o", "subformat=streamOptimized"), Route.SPOOL),
        ("vhdx", (), Route.SPOOL),
        ("vdi", (), Route.SPOOL),
    ],
)
@pytest.mark.parametrize("packed", [False, True])
def test_an_image_is_placed_or_kept_beside_the_target_first(
    format: str, options: tuple[str, ...], route: Route, packed: bool, target: Target, tmp_path: Path
) -> None:
    data, disk = image(format, tmp_path, *options)
    giver = Giver(gzip.compress(data, 1) if packed else data)
    result = run(giver, target)
    assert result.plan.route is route
    assert target.path.read_bytes()[: len(disk)] == disk
    assert left(target) == ["disk.img"]


def test_an_archive_is_unpacked_as_it_comes(tmp_path: Path) -> None:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        entry = tarfile.TarInfo("deep/file")
        entry.size = len(DISK)
        archive.addfile(entry, io.BytesIO(DISK))
    giver, ended = Giver(packed.getvalue()), []
    run(giver, Target.at_path(tmp_path, archive=True), archive=True, received=lambda: ended.append(giver.given))
    assert (tmp_path / "deep" / "file").read_bytes() == DISK
    assert ended == [len(giver.data)]


@pytest.mark.parametrize("at", [0, 1000, HEAD_SIZE, HEAD_SIZE + 1, 2 * MiB, len(DISK)])
@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (ConnectionResetError(104, "Connection reset by peer"), "connection reset by peer"),
        (TimeoutError("timed out"), "timeouterror"),
        (
            Fault("SourceStalled", source="x", seconds=60, got=5),
            "no bytes from x for 60 s at 5 bytes",
        ),
        (Fault("SourceChanged", source="x", before="a", after="b"), "x changed during the import: a became b"),
        (Fault("RangesWithdrawn", source="x", status="200", detail="y", as_stream=True), ""),
    ],
    ids=["reset", "timeout", "transient", "changed", "ranges"],
)
def test_what_breaks_off_is_told_with_its_own_code_and_asked_for_no_more(
    error: Exception, cause: str, at: int, target: Target
) -> None:
    giver = Giver(DISK, breaks_at=at, error=error)
    fault = fault_of(giver, target)
    assert (fault.code, fault.values["got"], fault.permanent) == ("UploadBroken", f"{at:,}", True)
    assert cause in fault.what
    assert giver.errors == 1
    assert giver.interrupts == 0  # its connection may still carry an answer
    assert left(target) == []


@pytest.mark.parametrize("said", [len(DISK) + 1, len(DISK) - 1, 100, 10 * MiB])
def test_another_length_than_was_announced_is_a_fault(said: int, target: Target) -> None:
    fault = fault_of(Giver(DISK, length=said), target)
    assert fault.code == "UploadBroken"
    assert f"{said:,} bytes" in fault.what
    assert left(target) == []


def test_nothing_at_all_is_no_disk(target: Target) -> None:
    assert fault_of(Giver(b""), target).code == "SourceEmpty"


def test_what_is_wrong_with_what_was_given_is_not_remembered(target: Target) -> None:
    """Another one who sends as many bytes sends others."""
    packed = gzip.compress(DISK, 1)[:-100]
    for _ in range(3):
        giver = Giver(packed, length=len(packed))
        assert fault_of(giver, target).code == "CompressedTruncated"
        assert giver.given == len(packed)
        assert target.verdict.path is not None
        assert not target.verdict.path.exists()
        assert left(target) == []
    packed = gzip.compress(DISK, 1)
    run(Giver(packed), target)
    assert target.path.read_bytes() == DISK


def test_it_is_opened_once_and_read_once() -> None:
    source = Giver(DISK).source()
    source.opened().probe()
    source.open(0, None)
    for again in (source.opened, lambda: source.open(0, None), lambda: source.open(5, None)):
        with pytest.raises(Fault, match=r"UploadBroken.*read before"):
            again()


@pytest.mark.parametrize("at", [0, HEAD_SIZE, 2 * MiB])
def test_who_waits_for_bytes_is_interrupted(at: int, target: Target) -> None:
    giver, cancel, caught = Giver(DISK, breaks_at=at, hangs=True), Cancel(), []

    def work() -> None:
        try:
            transfer.run(Request(giver.source().opened, target), Progress(), cancel)
        except Fault as fault:
            caught.append(fault.code)

    thread = threading.Thread(target=work)
    thread.start()
    assert giver.waiting.wait(60)
    cancel.request()
    thread.join(60)
    assert caught == ["CancelledUnkept" if at >= HEAD_SIZE else "Cancelled"]
    assert giver.interrupts >= 1
    assert left(target) == []


def test_who_was_stopped_before_asks_for_no_byte(target: Target) -> None:
    giver, cancel = Giver(DISK), Cancel()
    cancel.request()
    with pytest.raises(Fault, match="Cancelled"):
        transfer.run(Request(giver.source().opened, target), Progress(), cancel)
    assert giver.given == 0


@pytest.mark.parametrize("announced", [True, False])
def test_a_disk_that_does_not_fit_is_refused_before_it_is_taken(
    announced: bool, target: Target, tmp_path: Path
) -> None:
    small = replace(target, size=2 * MiB)
    data, _ = image("qcow2", tmp_path)
    giver = Giver(data)
    assert fault_of(giver, small).code == "TargetTooSmall"
    assert giver.given == HEAD_SIZE
    giver = Giver(DISK, length=len(DISK) if announced else None)
    assert fault_of(giver, small).code == ("TargetTooSmall" if announced else "TargetOutgrown")
    assert (giver.given == HEAD_SIZE) is announced


@pytest.mark.parametrize(
    ("format", "options", "packed"),
    [("raw", (), False), ("raw", (), True), ("qcow2", (), False), ("qcow2", (), True), ("vmdk", (), False)],
)
def test_the_last_byte_is_told_once_before_the_disk_is_verified_and_has_its_name(
    format: str, options: tuple[str, ...], packed: bool, target: Target, tmp_path: Path
) -> None:
    data, _ = image(format, tmp_path, *options)
    data = gzip.compress(data, 1) if packed else data
    giver, progress, told = Giver(data), Progress(), []

    def received() -> None:
        assert (giver.given, giver.ends >= 1) == (len(data), True)
        told.append((progress.snapshot().stage, left(target)))

    request = Request(giver.source().opened, target, checksum_of(data), received=received)
    transfer.run(request, progress, Cancel())
    assert [stage for stage, _ in told] == [Stage.FETCHING]
    assert "disk.img" not in told[0][1]
    assert target.path.exists()


@pytest.mark.parametrize("packed", [False, True])
def test_what_breaks_off_is_never_told_as_received(packed: bool, target: Target) -> None:
    data, told = gzip.compress(DISK, 1) if packed else DISK, []
    fault_of(Giver(data, breaks_at=len(data)), target, received=lambda: told.append(1))
    fault_of(Giver(data, length=len(data) + 1), target, received=lambda: told.append(1))
    assert told == []


def test_what_fails_when_all_was_received_fails(target: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(self: FileSink) -> None:
        raise Fault("NoSpace", target=self.name, offset=0, cause="it is full")

    told: list[int] = []
    monkeypatch.setattr(FileSink, "publish", full)
    assert fault_of(Giver(DISK), target, received=lambda: told.append(1)).code == "NoSpace"
    assert told == [1]
    assert left(target) == []


def looks_like(kind: str) -> bytes:
    """A guest's disk that begins or ends as something else does."""
    if kind == "fixed VHD":
        return DISK + vhd(kind=2, size=len(DISK))[:512]
    made = {
        "qcow2": b"QFI\xfb" + bytes(508),
        "gzip": gzip.compress(b"x" * 5000),
        "page": b"<html><body>" + b"x" * 5000,
        "luks": b"LUKS\xba\xbe",
        "bzip2": b"BZh91AY&SY",
        "tar": bytes(0x101) + b"ustar",
    }
    return made[kind] + DISK[len(made[kind]) :]


@pytest.mark.parametrize("kind", ["qcow2", "gzip", "page", "luks", "bzip2", "tar", "fixed VHD"])
def test_what_is_declared_raw_is_raw(kind: str, target: Target) -> None:
    disk = looks_like(kind)
    result = run(Giver(disk, length=len(disk)), target, raw=True)
    assert target.path.read_bytes() == disk
    assert (result.plan.format, result.plan.compression) == ("raw", ())
