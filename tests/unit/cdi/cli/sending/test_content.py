"""What is sent of a file, from any byte on."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest
from support.extents import decoded

from cdi.base.faults import Fault
from cdi.base.wire.extents.decoder import Decoder
from cdi.cli.sending.content import Content, SparseDisk, WholeFile
from importer.cancel import Cancel
from importer.sources import Facts, SourceSpec
from importer.sources.file import FileSource

MIB = 1 << 20


def opened(path: Path) -> tuple[FileSource, Facts]:
    source = FileSource(SourceSpec(url=str(path)))
    return source, source.probe()


def bytes_of(content: Content, offset: int = 0) -> bytes:
    return b"".join(bytes(piece) for piece in content.pieces(offset))


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    """100 MiB: data and holes, zeros that are written, an end that is no whole block."""
    path = tmp_path / "disk.raw"
    draw = random.Random(7)
    with path.open("wb") as file:
        for _ in range(60):
            file.seek(draw.randrange(100 * MIB) & ~0xFFF)
            file.write(draw.choice((draw.randbytes(4096), bytes(300_000), draw.randbytes(200_000))))
        file.truncate(100 * MIB + 512)
    return path


def test_a_sparse_disk_is_its_data_and_nothing_of_its_zeros(disk: Path) -> None:
    source, facts = opened(disk)
    content = SparseDisk(source, facts, Cancel())
    stream = bytes_of(content)
    assert len(stream) == content.length < 20 * MIB
    found = bytearray(disk.stat().st_size)
    for offset, data in decoded(Decoder(len(found)), stream):
        found[offset : offset + len(data)] = data
    assert bytes(found) == disk.read_bytes()
    source.close()


def test_the_stream_is_the_same_from_wherever_it_is_asked_for(disk: Path) -> None:
    source, facts = opened(disk)
    content = SparseDisk(source, facts, Cancel())
    whole = bytes_of(SparseDisk(source, facts, Cancel()))
    seed = random.randrange(1 << 32)
    print("seed", seed)
    draw = random.Random(seed)
    offsets = [len(whole), 0, len(whole) - 1, *(draw.randrange(len(whole)) for _ in range(8))]
    for offset in offsets:
        assert bytes_of(content, offset) == whole[offset:], offset
    source.close()


def test_a_disk_of_zeros_is_a_head_and_an_end(tmp_path: Path) -> None:
    path = tmp_path / "zeros"
    path.write_bytes(bytes(3 * MIB))
    source, facts = opened(path)
    content = SparseDisk(source, facts, Cancel())
    assert len(bytes_of(content)) == content.length < 200
    source.close()


def test_a_file_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(data := random.Random(3).randbytes(2 * MIB + 77))
    source, facts = opened(path)
    content = WholeFile(source, facts)
    assert (content.length, bytes_of(content), bytes_of(content, 1_500_000)) == (len(data), data, data[1_500_000:])
    source.close()


@pytest.mark.parametrize("kind", [WholeFile, SparseDisk])
def test_a_file_that_changes_is_not_sent_to_its_end(tmp_path: Path, kind: type) -> None:
    path = tmp_path / "disk"
    path.write_bytes(random.Random(3).randbytes(3 * MIB))
    source, facts = opened(path)
    content: Content = WholeFile(source, facts) if kind is WholeFile else SparseDisk(source, facts, Cancel())
    pieces = content.pieces(0)
    next(pieces)
    os.truncate(path, MIB)
    with pytest.raises(Fault) as caught:
        list(pieces)
    assert caught.value.code in ("SourceChanged", "SourceTruncated")
    source.close()
