"""Images drawn at random, as qemu-img makes them and guests write to them: every format, option, size and order."""

from __future__ import annotations

import os
import random
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

KiB, MiB = 1024, 1024 * 1024
_SECTOR = 512
_BLOCK = 64 * KiB
_STEP = 16 * MiB
_LARGEST = 160 * MiB  # of a file: tests hold it in memory
_FORMATS = ("qcow2",) * 8 + ("vmdk",) * 4 + ("vdi", "vhdx", "vpc", "vpc", "vdi", "vhdx", "raw")


@dataclass
class SparseDisk:
    """A disk of any size in the memory of what is on it. Equal to another with the same size and bytes."""

    size: int
    _blocks: dict[int, bytearray] = field(default_factory=dict)

    @staticmethod
    def of(path: Path) -> SparseDisk:
        disk = SparseDisk(path.stat().st_size)
        with path.open("rb") as file:
            end = 0
            while (start := _next(file.fileno(), end, os.SEEK_DATA)) is not None:
                end = _next(file.fileno(), start, os.SEEK_HOLE) or disk.size
                for at in range(start, end, _STEP):  # one read gives 2 GiB at most
                    disk.write(at, os.pread(file.fileno(), min(_STEP, end - at), at))
        return disk

    def write(self, offset: int, data: bytes | memoryview) -> None:
        assert offset >= 0
        assert offset + len(data) <= self.size
        done = 0
        while done < len(data):
            number, at = divmod(offset + done, _BLOCK)
            part = data[done : done + _BLOCK - at]
            if number in self._blocks or bytes(part).count(0) < len(part):
                self._blocks.setdefault(number, bytearray(_BLOCK))[at : at + len(part)] = part
            done += len(part)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, SparseDisk) and self.size == other.size and self._content() == other._content()

    __hash__ = None  # type: ignore[assignment]  # it changes

    def _content(self) -> dict[int, bytearray]:
        return {number: block for number, block in self._blocks.items() if any(block)}


def _next(file: int, start: int, what: int) -> int | None:
    try:
        return os.lseek(file, start, what)
    except OSError:
        return None  # nothing but a hole follows


@dataclass
class Drawn:
    """One image file. ``said``: the commands that made it, to be repeated by hand. ``cut``: bytes that its end lost."""

    path: Path
    format: str  # as qemu-img calls it
    said: list[str] = field(default_factory=list)
    cut: int = 0

    def run(self, *command: object) -> bool:
        """Whether qemu did it: not all of what is drawn is possible."""
        words = [str(word) for word in command]
        self.said.append(" ".join(words))
        return subprocess.run(words, capture_output=True).returncode == 0

    def disk(self) -> SparseDisk | None:
        """The disk as qemu-img reads it; None when it refuses."""
        plain = self.path.with_suffix(".oracle")
        command = ["qemu-img", "convert", "-f", self.format, "-O", "raw", str(self.path), str(plain)]
        try:
            if subprocess.run(command, capture_output=True).returncode != 0:
                return None
            return SparseDisk.of(plain)
        finally:
            plain.unlink(missing_ok=True)


def may_be_told(image: Drawn, code: str) -> bool:
    """Whether an image that qemu-img reads may be refused with ``code``: one that qemu itself has marked (7.2 does so
    when it shrinks some with compressed clusters), or has damaged without a mark (with clusters of 512 bytes it places
    compressed ones into one that holds plain data), and one whose end is missing, which qemu-img reads as zeros."""
    cut = ("ImageTruncated", "ImageTableOutside", "ImageInvalid", "ImageClusterShared")
    if code == "ImageMarkedCorrupt" or (image.cut > 0 and code in cut):
        return True
    return code == "ImageClusterShared" and _is_damaged(image.path)


def _is_damaged(path: Path) -> bool:
    """What ``qemu-img check`` calls corruption; leaked clusters are another exit code."""
    return subprocess.run(["qemu-img", "check", path], capture_output=True).returncode == 2


def draw_image(chance: random.Random, folder: Path, format: str | None = None) -> Drawn:
    """An image that qemu-img made; drawn again until there is one."""
    while True:
        for file in folder.iterdir():
            file.unlink()
        image = Drawn(folder / "image", format or chance.choice(_FORMATS))
        size = _size(chance, image.format)
        made = _converted(chance, image, size) if chance.random() < 0.5 else _created(chance, image, size)
        if made and image.path.exists():
            _afterwards(chance, image, size)
            if image.path.stat().st_size <= _LARGEST:
                return image


def draw_disk(chance: random.Random, path: Path, size: int) -> None:
    """A raw disk of ``size`` bytes: holes of all lengths, dense parts, lone sectors, text, noise and zeros."""
    with path.open("wb") as file:
        file.truncate(size)
        for _ in range(chance.randrange(12)):
            offset = min(_place(chance, size), max(0, size - 1))
            length = min(chance.choice((1, 511, 512, 4096, 65536, 300_000, MiB)), size - offset)
            file.seek(offset)
            file.write(_content(chance, length))


def _content(chance: random.Random, length: int) -> bytes:
    match chance.randrange(4):
        case 0:
            return chance.randbytes(length)
        case 1:
            return bytes([chance.randrange(256)]) * length
        case 2:
            return (b"%d bottles of beer on the wall\n" % chance.randrange(99) * (length // 20 + 1))[:length]
        case _:
            parts = [chance.randbytes(1 + length // 9), bytes(1 + length // 5)]
            return b"".join(chance.choice(parts) for _ in range(12))[:length].ljust(length, b"\0")


def _size(chance: random.Random, format: str) -> int:
    most = chance.choice((64 * KiB, MiB, 4 * MiB, 8 * MiB, 8 * MiB, 100 * MiB, 100 * MiB, 4096 * MiB))
    size = chance.randrange(1, most + 1)
    if chance.random() < 0.3:
        size = -(-size // MiB) * MiB
    return size if format == "raw" and chance.random() < 0.5 else -(-size // _SECTOR) * _SECTOR


def _place(chance: random.Random, size: int) -> int:
    """A byte of the disk, also often near its ends and near round numbers."""
    at = chance.choice((0, size, chance.randrange(size + 1)))
    round_to = chance.choice((1, 512, 4096, 65536, MiB))
    return max(0, min(size, at // round_to * round_to + chance.choice((0, 0, 0, 512, -512, 1024))))


def _options(chance: random.Random, format: str, size: int) -> list[str]:
    small = size <= 16 * MiB  # then it may have all its space

    def some(**values: tuple[str, ...]) -> list[str]:
        return [f"{name}={chance.choice(of)}" for name, of in values.items() if chance.random() < 0.5]

    match format:
        case "qcow2":
            found = some(
                cluster_size=("512", "1k", "4k", "16k", "32k", "64k", "128k", "1M", "2M"),
                extended_l2=("on", "off"),
                compression_type=("zstd", "zlib"),
                lazy_refcounts=("on", "off"),
                refcount_bits=("1", "8", "16", "64"),
                preallocation=("off", *(("off", "metadata", "falloc", "full") if small else ())),
            )
            return found or some(compat=("0.10", "1.1"))
        case "vmdk":
            subformat = f"subformat={chance.choice(('monolithicSparse', 'streamOptimized'))}"
            return [
                subformat,
                *some(zeroed_grain=("on", "off"), adapter_type=("ide", "lsilogic"), compat6=("on", "off")),
            ]
        case "vdi":
            return some(static=("on", "off") if small else ("off",))
        case "vpc":
            return some(subformat=("dynamic", "fixed") if small else ("dynamic",), force_size=("on", "off"))
        case "vhdx":
            return some(
                subformat=("dynamic", "dynamic", "fixed" if small else "dynamic"),
                block_size=("1M", "2M", "8M", "32M"),
                log_size=("1M", "2M"),
                block_state_zero=("on", "off"),
            )
    return []


def _dashed(options: list[str]) -> list[str]:
    return ["-o", ",".join(options)] if options else []


def _converted(chance: random.Random, image: Drawn, size: int) -> bool:
    raw = image.path.with_name("raw")
    draw_disk(chance, raw, size)
    flags = []
    if image.format in ("qcow2", "vmdk") and chance.random() < 0.3:
        flags.append("-c")
    if chance.random() < 0.3:
        flags += ["-W", "-m", "8"]
    if chance.random() < 0.2:
        flags += [
            "-S",
            chance.choice(("0", "4k", "64k") if size <= 16 * MiB else ("4k", "64k")),
        ]  # 0: holes are written
    options = _options(chance, image.format, size)
    return image.run("qemu-img", "convert", "-f", "raw", "-O", image.format, *flags, *_dashed(options), raw, image.path)


def _created(chance: random.Random, image: Drawn, size: int) -> bool:
    options = [option for option in _options(chance, image.format, size) if option != "subformat=streamOptimized"]
    if not image.run("qemu-img", "create", "-q", "-f", image.format, *_dashed(options), image.path, size):
        return False
    _written(chance, image, size)
    return True


def _written(chance: random.Random, image: Drawn, size: int) -> None:
    commands: list[str] = []
    places = [0]
    for _ in range(chance.randrange(1, 25)):
        at = (chance.choice(places) if chance.random() < 0.3 else _place(chance, size)) // _SECTOR * _SECTOR
        places.append(at)
        length = min(chance.choice((512, 1024, 4096, 8192, 65536, 65536, 131072, MiB)), size - at) // _SECTOR * _SECTOR
        if length <= 0:
            continue
        pattern = chance.randrange(1, 256)
        kinds = [f"write -P {pattern} {at} {length}"] * 4 + [f"write -z {at} {length}", f"write -z -u {at} {length}"]
        kinds += [f"discard {at} {length}", "flush"]
        if image.format == "qcow2":
            at, length = at // 65536 * 65536, 65536
            kinds += [f"write -c -P {pattern} {at} {length}"] * 3
        commands += ["-c", chance.choice(kinds)]
    image.run("qemu-io", "-f", image.format, *commands, image.path)


def _afterwards(chance: random.Random, image: Drawn, size: int) -> None:
    """What happens to images later: snapshots, other sizes, more writes, a missing end."""
    for _ in range(chance.choice((0, 0, 1, 3, 6))):
        size = _changed(chance, image, size)
    if image.format == "qcow2" and chance.random() < 0.1:
        image.cut = min(chance.choice((1, 100, 512, 4096, 60_000)), image.path.stat().st_size // 2)
        image.said.append(f"truncate -s -{image.cut} {image.path}")
        with image.path.open("r+b") as file:
            file.truncate(image.path.stat().st_size - image.cut)


def _changed(chance: random.Random, image: Drawn, size: int) -> int:
    """One change; the size of the disk after it."""
    is_qcow2 = image.format == "qcow2"
    match chance.randrange(6 if is_qcow2 else 2):
        case 0:
            _written(chance, image, size)
        case 1 | 2 if image.format in ("qcow2", "raw", "vdi", "vhdx"):
            other = _size(chance, image.format)
            if image.run("qemu-img", "resize", "-q", "--shrink", "-f", image.format, image.path, other):
                return other
        case 3 | 4:
            name = f"s{chance.randrange(3)}"
            image.run("qemu-img", "snapshot", chance.choice(("-c", "-c", "-a", "-d")), name, image.path)
        case 5:
            image.run("qemu-img", "amend", "-f", "qcow2", "-o", "compat=1.1,lazy_refcounts=on", image.path)
    return size
