"""Damaged and hostile archives: the only outcomes are a Fault, or files in the directory and nowhere else.

Links in it may point anywhere; that nothing was written through one shows beside the directory.
"""

from __future__ import annotations

import random
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
from support.fuzzing import chances, mutated
from support.packed import feed

from cdi.base.faults import Fault
from importer.archive import extract

_CODES = ("ArchiveInvalid", "ArchiveUnsafe", "TargetOutgrown")
_TYPES = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, b"x", b"L", b"S", b"K")
_PARTS = ("a", "b", "c", "..", ".", "", "lost+found")


def seeds(directory: Path) -> list[bytes]:
    (directory / "d").mkdir(parents=True)
    (directory / "d" / "f").write_bytes(b"data" * 500)
    (directory / ("n" * 130)).write_text("long")
    (directory / "l").symlink_to("d/f")
    with (directory / "sparse").open("wb") as file:
        for offset in range(0, 400_000, 50_000):
            file.seek(offset)
            file.write(b"x" * 100)
    options = ("--format=gnu", "--format=pax", "--format=oldgnu")
    command = ["tar", "--sparse", "--blocking-factor=1", "-cf", "-", "-C", str(directory), "."]
    return [subprocess.run([*command, option], stdout=subprocess.PIPE, check=True).stdout for option in options]


def with_valid_checksums(data: bytes) -> bytes:
    """What looks like a header gets the right checksum, so that the damage is not found by it."""
    out = bytearray(data)
    for start in range(0, len(out) - 511, 512):
        if out[start + 257 : start + 262] == b"ustar":
            block = out[start : start + 512]
            out[start + 148 : start + 156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 256)
    return bytes(out)


def invented(chance: random.Random, beside: Path) -> bytes:
    """Entries of few names and all types, so that they get into each other's way; some link to ``beside``."""
    out = b""
    for _ in range(chance.randrange(1, 12)):
        info = tarfile.TarInfo("/".join(chance.choices(_PARTS, k=chance.randrange(1, 5))) or "a")
        info.type = chance.choices(_TYPES, weights=(6, 5, 8, 6, 1, 1, 1, 1, 1))[0]
        info.linkname = "/".join(chance.choices(_PARTS, k=chance.randrange(1, 5)))
        if chance.random() < 0.2:
            info.linkname = str(beside) if chance.random() < 0.5 else "/" + info.linkname
        info.mode = chance.choice((0o644, 0o755, 0o0, 0o6777))
        content = chance.randbytes(chance.choice((0, 10, 700))) if info.type == tarfile.REGTYPE else b""
        info.size = len(content)
        out += info.tobuf(tarfile.GNU_FORMAT) + content + bytes(-len(content) % 512)
    return out + bytes(1024)


def unpack(data: bytes, outer: Path) -> bool:
    """True when it was accepted. Whatever came of it stays inside; nothing beside the directory was touched."""
    volume = outer / "one" / "two" / "volume"
    volume.mkdir(parents=True)
    (outer / "one" / "a").write_text("beside")
    try:
        extract(feed(data), volume, 1 << 20)
        code = ""
    except Fault as fault:
        code = fault.code
    assert code in ("", *_CODES)
    assert sorted(path.name for path in (outer / "one").iterdir()) == ["a", "two"]
    assert (outer / "one" / "a").read_text() == "beside"
    assert [path.name for path in (outer / "one" / "two").iterdir()] == ["volume"]
    shutil.rmtree(outer)
    return code == ""


@pytest.mark.parametrize("kind", ["damaged", "damaged with valid checksums", "invented"])
def test_an_archive_is_refused_or_stays_inside(kind: str, tmp_path: Path) -> None:
    originals = seeds(tmp_path / "in")
    outcomes = {True: 0, False: 0}
    for number, chance in chances():
        match kind:
            case "invented":
                data = invented(chance, tmp_path / str(number) / "one")
            case "damaged":
                data = mutated(chance.choice(originals), chance)
            case _:
                data = with_valid_checksums(mutated(chance.choice(originals), chance))
        outcomes[unpack(data, tmp_path / str(number))] += 1
    assert outcomes[True] > 0
    assert outcomes[False] > 0
