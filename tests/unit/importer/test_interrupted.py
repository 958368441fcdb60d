"""An import that ends at any mark of its journal, or behind the last one, goes on to the same disk."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard
from support.fuzzing import seed
from support.hostile import vhd
from support.packed import tool

from cdi.base.faults import Fault
from cdi.base.units import MiB
from importer import transfer
from importer.cancel import Cancel
from importer.fetch.journal import Journal
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.target import Site, Target
from importer.transfer import Request, Result

DISK = random.Random(4).randbytes(MiB) + bytes(MiB) + random.Random(5).randbytes(2 * MiB)
STOP = Fault("NoSpace", target="t", offset=0, cause="a stand-in for the end of the process")


def _packed(pack: Callable[[bytes], bytes], disk: bytes, *cuts: int) -> bytes:
    """``disk`` in parts that end at ``cuts``, each packed by itself; a negative cut counts from the end."""
    ends = [cut % len(disk) if cut < 0 else cut for cut in cuts] + [len(disk)]
    return b"".join(pack(disk[start:end]) for start, end in zip([0, *ends[:-1]], ends, strict=True))


def _gz(part: bytes) -> bytes:
    return gzip.compress(part, 1)


_zst = zstandard.ZstdCompressor(1).compress
_sizeless = zstandard.ZstdCompressor(1, write_content_size=False).compress
_FOOTED = DISK + vhd(kind=2, size=len(DISK))[:512]
_SPARSE = bytes(2 * MiB) + DISK[:MiB] + bytes(MiB)  # packs into less than its first frame declares

# Each becomes DISK, or what stands beside it.
IMAGES: dict[str, bytes | tuple[bytes, bytes]] = {
    "raw": DISK,
    "gz members": _packed(_gz, DISK, MiB + 1000, 3 * MiB),
    "gz, the last member within the last page": _packed(_gz, DISK, 2 * MiB, -100),
    "gz, the last member empty": _packed(_gz, DISK, 2 * MiB, len(DISK)),
    "gz, a footer in a member of its own": _packed(_gz, _FOOTED, 2 * MiB, len(DISK)),
    "gz, a footer in two members": _packed(_gz, _FOOTED, 2 * MiB, len(DISK) + 200),
    "gz, a footer behind some of the disk": _packed(_gz, _FOOTED, len(DISK) - 300),
    "zst frames, the first declares more than the file": (_packed(_zst, _SPARSE, 3 * MiB), _SPARSE),
    "zst frames, the first declares all but a little": (_packed(_zst, _SPARSE, len(_SPARSE) - 100), _SPARSE),
    "zst frames without sizes": _packed(_sizeless, DISK, MiB, 3 * MiB),
    "xz blocks": tool(f"xz -0c -T1 --block-size={MiB}", DISK),
    "xz blocks of odd size": tool(f"xz -0c -T1 --block-size={MiB - 1000}", DISK),
    "xz blocks, a footer in the last": tool(f"xz -0c -T1 --block-size={MiB}", _FOOTED),
    "xz streams": _packed(lambda part: tool("xz -0c -T1", part), DISK, MiB + 5, 3 * MiB),
}


@pytest.fixture(params=IMAGES)
def image(request: pytest.FixtureRequest) -> tuple[bytes, bytes]:
    found = IMAGES[request.param]
    return found if isinstance(found, tuple) else (found, DISK)


def run(request: Request) -> Result:
    return transfer.run(request, Progress(), Cancel())


def request_for(file: bytes, place: Path) -> Request:
    (place / "file").write_bytes(file)
    (place / "out").mkdir()
    request = Request(SourceSpec(str(place / "file")), Target.at_path(place / "out" / "disk.img"))
    return replace(request, connections=transfer.Limits(2, 2))


def test_what_ends_before_its_publication_is_published_by_the_next(
    image: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, disk = image
    request = request_for(file, tmp_path)

    def stop(_site: object) -> None:
        raise STOP

    with monkeypatch.context() as patched:
        patched.setattr(Site, "publish", stop)
        with pytest.raises(Fault, match="NoSpace"):
            run(request)
    result = run(request)
    assert result.bytes_kept
    assert result.disk_size == len(disk)
    assert request.target.path.read_bytes() == disk


def test_what_ends_at_some_marks_goes_on_to_the_same_disk(
    image: tuple[bytes, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, disk = image
    request = request_for(file, tmp_path)
    chance = random.Random(seed())
    written = Journal.written

    for _ in range(4):
        left = chance.randrange(1, 5)

        def stopping(self: Journal, offset: int, length: int) -> None:
            nonlocal left
            written(self, offset, length)
            left -= 1
            if not left:
                raise STOP

        with monkeypatch.context() as patched:
            patched.setattr(Journal, "written", stopping)
            try:
                run(request)
                break
            except Fault as fault:
                assert fault.code == "NoSpace", fault  # noqa: PT017  anything else is a fault of the import
    if not request.target.path.exists():
        assert run(request).disk_size == len(disk)
    assert request.target.path.read_bytes() == disk
