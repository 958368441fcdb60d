"""One patterned disk in every format, made by qemu-img and the usual packers."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

from support.images import write_disk

MiB = 1024 * 1024
SIZE = 24 * MiB


@dataclass(frozen=True)
class Corpus:
    """``files``: the served directory. ``size`` and ``sum`` (SHA-256): of the raw disk that every image holds."""

    files: Path
    size: int
    sum: str


def build_corpus(files: Path) -> Corpus:
    """Writes ``disk.{raw,qcow2,vmdk,vhd,vhdx,vdi}``, ``disk.raw.{gz,xz,zst}``, ``disk.qcow2.gz`` and ``tree.tar``."""
    raw = files / "disk.raw"
    write_disk(raw, SIZE)
    for format_, name in {"qcow2": "qcow2", "vmdk": "vmdk", "vpc": "vhd", "vhdx": "vhdx", "vdi": "vdi"}.items():
        # force_size: otherwise the geometry of a VHD rounds the size up
        options = ["-o", "force_size=on"] if format_ == "vpc" else []
        _run("qemu-img", "convert", "-f", "raw", "-O", format_, *options, str(raw), str(files / f"disk.{name}"))
    for tool, suffix in {"gzip -1": "gz", "xz -1": "xz", "zstd -q": "zst"}.items():
        (files / f"disk.raw.{suffix}").write_bytes(_run(*tool.split(), "-c", str(raw)))
    (files / "disk.qcow2.gz").write_bytes(_run("gzip", "-1", "-c", str(files / "disk.qcow2")))
    _tree(files)
    return Corpus(files, SIZE, hashlib.sha256(raw.read_bytes()).hexdigest())


def _tree(files: Path) -> None:
    tree = files / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "hello.txt").write_text("hello\n")
    (tree / "sub" / "deep.txt").write_text("deep\n")
    _run("tar", "-C", str(tree), "-cf", str(files / "tree.tar"), ".")


def _run(*command: str) -> bytes:
    return subprocess.run(command, check=True, capture_output=True).stdout
