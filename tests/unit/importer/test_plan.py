"""What a plan refuses of other files, what it lets pass, and what it promises of the disk."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import tarfile
from dataclasses import replace

import pytest
from support.hostile import qcow2
from support.memorysource import MemorySource
from support.packed import tool

from cdi.base.faults import Fault
from importer.plan import Plan, Route, Wishes, make_plan

KiB = 1024
TEXT = b"not found, sorry\n"
BZIP2 = bz2.compress(b"x" * 5000)


def planned(
    data: bytes, *, archive: bool = False, ranges: bool = True, checksum: bool = False, etag: str | None = '"v1"'
) -> Plan:
    source = MemorySource(data, ranges=ranges, etag=etag)
    return make_plan(source, lambda offset, length: data[offset : offset + length], Wishes(archive, checksum))


def tarred(name: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        archive.addfile(tarfile.TarInfo(name))
    return out.getvalue()


@pytest.mark.parametrize("ranges", [True, False])
@pytest.mark.parametrize(
    ("data", "code"),
    [
        (BZIP2, "PackingUnsupported"),
        (gzip.compress(BZIP2), "PackingUnsupported"),
        (lzma.compress(BZIP2), "PackingUnsupported"),
        (tarred("vm.ovf"), "PackingUnsupported"),
        (gzip.compress(tarred("vm.ovf")), "PackingUnsupported"),
        (b"%PDF-1.4\n" + bytes(1000 * KiB), "NotADiskImage"),
        (TEXT, "NotADiskImage"),
        (gzip.compress(TEXT), "NotADiskImage"),
    ],
    ids=["bzip2", "bzip2 in gzip", "bzip2 in xz", "OVA", "OVA in gzip", "PDF", "text", "text in gzip"],
)
def test_other_files_are_refused_also_when_packed(data: bytes, code: str, ranges: bool) -> None:
    with pytest.raises(Fault) as caught:
        planned(data, ranges=ranges)
    assert caught.value.code == code


@pytest.mark.parametrize(
    "data",
    [TEXT * 4000, bytes(512), gzip.compress(TEXT * 4000), BZIP2.ljust(510, b"\0") + b"\x55\xaa", tarred("a.txt")],
    ids=["long text", "zeros", "long text in gzip", "boot sector", "tar"],
)
def test_what_may_be_a_disk_passes(data: bytes) -> None:
    assert planned(data).format == "raw"


@pytest.mark.parametrize("data", [tarred("vm.ovf"), gzip.compress(TEXT), BZIP2], ids=["tar", "gzip", "bzip2"])
def test_with_an_archive_the_archive_s_own_checks_speak(data: bytes) -> None:
    planned(data, archive=True)


def test_a_tar_that_becomes_a_disk_is_told() -> None:
    assert any("contentType: archive" in warning for warning in planned(tarred("a.txt")).warnings)
    assert not any("contentType: archive" in warning for warning in planned(tarred("a.txt"), archive=True).warnings)
    assert not any("contentType: archive" in warning for warning in planned(bytes(512)).warnings)


@pytest.mark.parametrize("ranges", [True, False])
def test_subclusters_are_smaller_than_a_page(ranges: bool) -> None:
    plan = planned(bytes(qcow2(incompatible=16)), ranges=ranges)
    assert (plan.granule, plan.unaligned) == (2 * KiB, True)
    plan = planned(bytes(qcow2()), ranges=ranges)
    assert (plan.granule, plan.unaligned) == (64 * KiB, False)


def in_blocks(length: int) -> bytes:
    """xz of so many plain bytes, 16 KiB in each block."""
    return tool("xz -0c --block-size=16KiB", random.Random(1).randbytes(length))


@pytest.mark.parametrize(
    ("rest", "route"), [(0, Route.BLOCKS), (1, Route.STREAM), (511, Route.STREAM), (512, Route.BLOCKS)]
)
def test_xz_blocks_are_read_apart_where_a_footer_lies_in_one(rest: int, route: Route) -> None:
    assert planned(in_blocks(64 * KiB + rest)).route is route


RAW = random.Random(2).randbytes(64 * KiB)


@pytest.mark.parametrize(
    ("plan", "unseen"),
    [
        (planned(RAW), 0),
        (planned(RAW, checksum=True), 0),
        (planned(RAW, ranges=False), 512),
        (planned(tool("xz -0c", RAW)), 512),
        (planned(in_blocks(64 * KiB)), 512),
        (planned(bytes(qcow2(size=64 * KiB)), ranges=False), 0),
    ],
    ids=["scattered", "in order, its end seen", "a stream", "packed", "in blocks", "qcow2"],
)
def test_a_disk_is_less_by_the_footer_that_was_not_looked_for(plan: Plan, unseen: int) -> None:
    assert plan.virtual_size == 64 * KiB
    assert plan.least_size == 64 * KiB - unseen
    assert replace(plan, virtual_size=100).least_size == (100 if not unseen else 0)


def test_a_source_without_a_validator_is_told_whatever_it_is() -> None:
    said = "Nothing tells versions of the source apart (no strong ETag): a new process starts from byte 0."
    assert said in planned(bytes(512), etag=None).warnings
    assert said not in planned(bytes(512)).warnings
