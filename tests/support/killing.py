"""Imports that are killed: what is served, drawn at random, and where it goes."""

from __future__ import annotations

import gzip
import hashlib
import random
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import zstandard
from support.packed import tool

KiB = 1024
MiB = 1024 * KiB

_IMAGES = {
    "qcow2": "-O qcow2",
    "qcow2, compressed": "-c -O qcow2",
    "qcow2, zstd": "-c -O qcow2 -o compression_type=zstd",
    "qcow2, extended L2": "-O qcow2 -o extended_l2=on,cluster_size=128k",
    "qcow2, small clusters": "-O qcow2 -o cluster_size=512",
    "vmdk": "-O vmdk",
    "vmdk, for streams": "-O vmdk -o subformat=streamOptimized",
    "vhd": "-O vpc -o force_size=on",
    "vhd, fixed": "-O vpc -o subformat=fixed,force_size=on",
    "vhdx": "-O vhdx",
    "vdi": "-O vdi",
}
_gz: Callable[[bytes], bytes] = lambda part: gzip.compress(part, 1)  # noqa: E731
_PACKS: dict[str, Callable[[bytes], bytes]] = {
    "gz": _gz,
    "zst": zstandard.ZstdCompressor(1).compress,
    "zst without sizes": zstandard.ZstdCompressor(1, write_content_size=False).compress,
    "xz": lambda part: tool("xz -0c -T1", part),
}
KINDS = (
    "raw",
    *_IMAGES,
    "gz",
    "gz, members",
    "zst",
    "zst, frames",
    "zst without sizes, frames",
    "xz",
    "xz, streams",
    "xz, blocks",
    "vhd, fixed in gz, members",
    "an image in a packing",
)


@dataclass(frozen=True)
class Case:
    """``file`` becomes ``disk``."""

    kind: str
    file: bytes
    disk: bytes
    ranges: bool
    checksum: bool

    @property
    def sha256(self) -> str:
        """As ``--checksum`` wants it; empty where none is given."""
        return f"sha256:{hashlib.sha256(self.file).hexdigest()}" if self.checksum else ""

    def __str__(self) -> str:
        rest = [f"{len(self.disk)} bytes of disk in {len(self.file)}"]
        rest += ["sha256"] if self.checksum else []
        rest += [] if self.ranges else ["no ranges"]
        return f"{self.kind} ({', '.join(rest)})"


def draw_case(kind: str, chance: random.Random, room: Path) -> Case:
    """``room``: an empty directory for what is made on the way."""
    disk = draw_disk(chance)
    if kind == "an image in a packing":
        image = chance.choice(list(_IMAGES))
        packing = chance.choice(["gz", "zst", "xz", "gz, members", "xz, blocks"])
        file = _packed(packing, _as_image(image, disk, room), chance)
        kind = f"{image} in {packing}"
    elif kind == "vhd, fixed in gz, members":
        file = _packed("gz, members", _as_image("vhd, fixed", disk, room), chance)
    elif kind == "raw":
        file = disk
    elif kind in _IMAGES:
        file = _as_image(kind, disk, room)
    else:
        file = _packed(kind, disk, chance)
    return Case(kind, file, disk, ranges=chance.random() < 0.8, checksum=chance.random() < 0.3)


def draw_disk(chance: random.Random) -> bytes:
    """4 to 10 MiB of noise, text and holes."""
    size = chance.randrange(4 * MiB, 10 * MiB) // 4096 * 4096
    disk = bytearray(size)
    position = 0
    while position < size:
        length = chance.choice([512, 4096, 65536, 300 * KiB, MiB, 2 * MiB])
        what = chance.randrange(5)
        if what < 3:
            disk[position : position + length] = chance.randbytes(length)
        elif what == 3:
            disk[position : position + length] = (b"%d " % position * length)[:length]
        position += length
    return bytes(disk[:size])


def _as_image(kind: str, disk: bytes, room: Path) -> bytes:
    raw, image = room / "raw", room / "image"
    raw.write_bytes(disk)
    command = ["qemu-img", "convert", "-f", "raw", *_IMAGES[kind].split(), str(raw), str(image)]
    subprocess.run(command, check=True, capture_output=True)
    return image.read_bytes()


def _packed(kind: str, data: bytes, chance: random.Random) -> bytes:
    packing, _, parts = kind.partition(", ")
    if parts == "blocks":
        return tool(f"xz -0c -T2 --block-size={chance.randrange(100 * KiB, 2 * MiB)}", data)
    ends = [len(data)]
    if parts:
        near = [chance.randrange(1, 6000) for _ in range(chance.randrange(3))]  # the end: of a page, of a footer
        cuts = {chance.randrange(len(data)) for _ in range(chance.randrange(2, 12))} | {len(data) - n for n in near}
        ends = [*sorted(cuts), len(data)]
    return b"".join(
        _PACKS[packing](data[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True) if start < end
    )


def wrong_bytes(target: Path, disk: bytes) -> str:
    """What of ``target`` is not ``disk`` and zeros behind it; empty when all is right."""
    with target.open("rb") as file:
        found = file.read()
    if found[: len(disk)] == disk and not any(found[len(disk) :]):
        return ""
    expected = disk.ljust(len(found), b"\0")
    pages = [at for at in range(0, len(expected), 512) if found[at : at + 512] != expected[at : at + 512]]
    return f"{len(found)} bytes, {len(pages)} sectors are wrong, the first at {pages[:4]}"
