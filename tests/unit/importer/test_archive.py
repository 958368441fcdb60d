from __future__ import annotations

import io
import os
import random
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from support.packed import feed, some_plain

from cdi.base.faults import Fault
from cdi.base.units import KiB, MiB
from importer.archive import ArchiveSummary, extract
from importer.archive_header import parse_field

FORMATS = ("v7", "ustar", "gnu", "oldgnu", "pax")
formats = pytest.mark.parametrize("format", FORMATS)


def gnu_tar(directory: Path, *options: str) -> bytes:
    return subprocess.run(
        ["tar", *options, "-cf", "-", "-C", directory, "."], stdout=subprocess.PIPE, check=True
    ).stdout


def archive(*members: tuple[tarfile.TarInfo, bytes], end: bool = True) -> bytes:
    """Members exactly as given, which no tar would write."""
    parts = [info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512) for info, data in members]
    return b"".join(parts) + bytes(1024 if end else 0)


def member(
    name: str, data: bytes = b"", type: bytes = tarfile.REGTYPE, **fields: object
) -> tuple[tarfile.TarInfo, bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.size = type, len(data)
    for key, value in fields.items():
        setattr(info, key, value)
    return info, data


def symlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.SYMTYPE, linkname=target)


def hardlink(name: str, target: str) -> tuple[tarfile.TarInfo, bytes]:
    return member(name, type=tarfile.LNKTYPE, linkname=target)


def pax(*records: str) -> tuple[tarfile.TarInfo, bytes]:
    """An extended header for the next entry."""
    text = ""
    for record in records:
        length = len(record) + 2
        length += len(str(length + len(str(length))))
        text += f"{length} {record}\n"
    return member("pax", text.encode(), type=b"x")


@pytest.fixture
def target(tmp_path: Path) -> Path:
    path = tmp_path / "outer" / "volume"
    path.mkdir(parents=True)
    return path


@pytest.fixture
def unpack(target: Path) -> Callable[..., ArchiveSummary]:
    return lambda data, limit=None: extract(feed(data), target, limit)


@pytest.fixture
def refused(target: Path) -> Callable[..., Fault]:
    """The fault of unpacking, after which nothing may stand beside the volume."""

    def run(data: bytes, limit: int | None = None) -> Fault:
        with pytest.raises(Fault) as caught:
            extract(feed(data), target, limit)
        assert [path.name for path in target.parent.iterdir()] == [target.name]
        assert [path.name for path in target.parent.parent.iterdir()] == ["outer"]
        return caught.value

    return run


def snapshot(directory: Path) -> dict[str, tuple[int, int, bytes | str]]:
    """Of everything but directories' times: mode, time, content."""
    found: dict[str, tuple[int, int, bytes | str]] = {}
    for path in sorted(directory.rglob("*")):
        status = path.lstat()
        content: bytes | str = b""
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[str(path.relative_to(directory))] = (
            status.st_mode,
            0 if path.is_dir() or path.is_symlink() else int(status.st_mtime),
            content,
        )
    return found


def build_tree(root: Path) -> None:
    (root / "images" / "deep").mkdir(parents=True)
    (root / "disk.img").write_bytes(some_plain(300 * KiB))
    (root / "disk.img").chmod(0o640)
    (root / "empty").touch(0o444)
    (root / "images" / "notes.txt").write_text("hello")
    os.utime(root / "images" / "notes.txt", (1_000_000_000, 1_000_000_000))
    (root / "images" / "deep" / "up").symlink_to("../../disk.img")
    (root / "images" / "here").symlink_to("deep")
    os.link(root / "images" / "notes.txt", root / "images" / "zz-again")
    (root / "closed").mkdir()
    (root / "closed" / "inside").write_text("x")
    (root / "closed").chmod(0o555)
    (root / "shared").mkdir()
    (root / "shared").chmod(0o1777)


# --- what is unpacked -------------------------------------------------------------------------------------------------


@formats
def test_a_tree_comes_out_as_it_went_in(
    format: str, tmp_path: Path, target: Path, unpack: Callable[..., object]
) -> None:
    build_tree(tmp_path / "in")
    unpack(gnu_tar(tmp_path / "in", f"--format={format}"))
    assert snapshot(target) == snapshot(tmp_path / "in")
    assert (target / "images/notes.txt").samefile(target / "images/zz-again")


def test_the_summary_counts_entries_and_bytes_of_files(unpack: Callable[..., ArchiveSummary]) -> None:
    data = archive(member("a", b"12345"), member("d", type=tarfile.DIRTYPE), member("d/b", b"67"), hardlink("c", "a"))
    assert unpack(data) == ArchiveSummary(entries=4, bytes=7)


@pytest.mark.parametrize("format", ["gnu", "pax"])
def test_long_and_odd_names_survive(format: str, tmp_path: Path, target: Path, unpack: Callable[..., object]) -> None:
    source = tmp_path / "in"
    deep = source / ("d" * 120) / ("e" * 200)
    deep.mkdir(parents=True)
    (deep / "ümläut").write_text("1")
    Path(os.fsdecode(bytes(source) + b"/\xff\xfe")).write_text("2")
    (source / "link").symlink_to("d" * 120 + "/" + "e" * 200)
    unpack(gnu_tar(source, f"--format={format}"))
    assert snapshot(target) == snapshot(source)


@pytest.mark.parametrize(
    "options",
    [
        ["--format=gnu"],
        ["--format=oldgnu"],
        *(["--format=pax", f"--sparse-version={v}"] for v in ("0.0", "0.1", "1.0")),
    ],
    ids=" ".join,
)
def test_sparse_files_keep_their_content_and_their_holes(
    options: list[str], tmp_path: Path, target: Path, unpack: Callable[..., ArchiveSummary]
) -> None:
    (tmp_path / "in").mkdir()
    disk = tmp_path / "in" / "disk.img"
    chance = random.Random(2)
    with disk.open("wb") as file:
        for _ in range(40):  # more runs than fit into one header of any format
            file.seek(chance.randrange(0, 64 * MiB, 4096))
            file.write(chance.randbytes(5000))
        file.truncate(64 * MiB + 77)
    data = gnu_tar(tmp_path / "in", "--sparse", *options)
    assert len(data) < MiB
    summary = unpack(data)
    assert (target / "disk.img").read_bytes() == disk.read_bytes()
    assert (target / "disk.img").stat().st_blocks * 512 < MiB
    assert summary.bytes == 64 * MiB + 77


def test_long_runs_of_zeros_become_holes(target: Path, unpack: Callable[..., object]) -> None:
    content = b"a" + bytes(4 * MiB) + b"z"
    unpack(archive(member("disk.img", content)))
    assert (target / "disk.img").read_bytes() == content
    assert (target / "disk.img").stat().st_blocks * 512 <= 128 * KiB


def test_an_archive_of_python_with_pax_headers_is_unpacked(target: Path, unpack: Callable[..., object]) -> None:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT, pax_headers={"comment": "global"}) as tar:
        info, data = member("n" * 150, b"data", mtime=1234.5)
        tar.addfile(info, io.BytesIO(data))
    unpack(out.getvalue())
    assert (target / ("n" * 150)).read_bytes() == b"data"
    assert (target / ("n" * 150)).stat().st_mtime == 1234


def test_parents_that_are_not_in_the_archive_are_made(target: Path, unpack: Callable[..., object]) -> None:
    unpack(archive(member("a/b/c", b"x")))
    assert (target / "a/b/c").read_bytes() == b"x"


def test_set_user_id_is_dropped_from_files(target: Path, unpack: Callable[..., object]) -> None:
    unpack(archive(member("root-shell", b"#!", mode=0o6755)))
    assert stat.S_IMODE((target / "root-shell").stat().st_mode) == 0o755


def test_what_an_earlier_attempt_left_is_replaced(target: Path, unpack: Callable[..., object]) -> None:
    (target / "a").write_text("longer than the new one")
    (target / "b").symlink_to("/etc/passwd")
    (target / "d").mkdir()
    (target / "kept").write_text("other")
    unpack(archive(member("a", b"1"), member("b", b"2"), member("d", type=tarfile.DIRTYPE), member("d/x", b"3")))
    assert not (target / "b").is_symlink()
    assert [(target / name).read_text() for name in ("a", "b", "d/x", "kept")] == ["1", "2", "3", "other"]


def test_lost_and_found_and_the_volume_itself_keep_their_modes(target: Path, unpack: Callable[..., object]) -> None:
    (target / "lost+found").mkdir(0o700)
    before = target.stat().st_mode
    directories = ("./", "lost+found")
    unpack(archive(*(member(name, type=tarfile.DIRTYPE, mode=0o777) for name in directories)))
    assert stat.S_IMODE((target / "lost+found").stat().st_mode) == 0o700
    assert target.stat().st_mode == before


def test_nothing_behind_the_end_mark_is_read(target: Path) -> None:
    data = archive(member("a", b"1"))
    tail = b"whatever follows"
    read = feed(data[:-512] + tail)
    extract(read, target, None)
    rest = memoryview(bytearray(100))
    assert bytes(rest[: read(rest)]) == tail


# --- what is refused --------------------------------------------------------------------------------------------------

UNSAFE = {
    "dot dot": [member("../x", b"x")],
    "dot dot inside": [member("a/../../x", b"x")],
    "dot dot as the whole": [member("..", type=tarfile.DIRTYPE)],
    "a file through a link": [symlink("a", "."), member("a/x", b"x")],
    "a file through an absolute link": [symlink("a", "/tmp"), member("a/x", b"x")],
    "a file through a link that climbs": [symlink("d/a", "../../.."), member("d/a/x", b"x")],
    "a link through a link": [symlink("a", "../.."), symlink("a/x", "/etc/passwd")],
    "a hard link through an absolute link": [symlink("a", "/etc"), hardlink("b", "a/passwd")],
    "a directory through a link": [symlink("a", "."), member("a/x", type=tarfile.DIRTYPE)],
    "a file through a file": [member("a", b"1"), member("a/x", b"x")],
    "a hard link to outside": [hardlink("a", "../../../../etc/passwd")],
    "a hard link to what would be inside": [member("passwd", b""), hardlink("a", "..")],
    "a hard link to an absolute name": [hardlink("a", "/etc/passwd")],
    "a hard link to nothing": [hardlink("a", "b")],
    "a hard link to something below nothing": [hardlink("a", "no/b")],
    "a hard link to a directory": [member("d", type=tarfile.DIRTYPE), hardlink("a", "d")],
    "a hard link to the root": [hardlink("a", ".")],
    "a hard link through a link": [member("d/f", b"1"), symlink("l", "d"), hardlink("a", "l/f")],
    "a character device": [member("a", type=tarfile.CHRTYPE, devmajor=1, devminor=1)],
    "a block device": [member("a", type=tarfile.BLKTYPE, devmajor=8)],
}


@pytest.mark.parametrize("members", UNSAFE.values(), ids=list(UNSAFE))
def test_what_could_reach_outside_is_refused(
    members: list[tuple[tarfile.TarInfo, bytes]], refused: Callable[..., Fault]
) -> None:
    assert refused(archive(*members)).code == "ArchiveUnsafe"


def test_the_fault_says_which_entry_and_why(refused: Callable[..., Fault]) -> None:
    fault = refused(archive(symlink("d", "../../etc"), member("d/evil", b"x")))
    assert fault.what == "the archive's entry 'd/evil' goes through 'd', which is no directory."


def test_a_link_planted_by_someone_else_is_not_followed(target: Path, refused: Callable[..., Fault]) -> None:
    (target / "d").symlink_to("..")
    assert refused(archive(member("d/x", b"x"))).code == "ArchiveUnsafe"


def test_pax_records_are_applied_to_the_next_entry_only(target: Path, unpack: Callable[..., object]) -> None:
    unpack(archive(pax("path=renamed", "mtime=-7.5"), member("a", b"1"), member("b", b"2")))
    assert sorted(path.name for path in target.iterdir()) == ["b", "renamed"]
    assert (target / "renamed").stat().st_mtime == -7


AS_TAR = {
    "an absolute name": [member("/etc/x", b"1"), member("//y", b"2")],
    "absolute links": [symlink("a", "/etc/passwd"), symlink("d/b", "/run/mysqld/mysqld.sock"), symlink("c", "/")],
    "links that climb": [symlink("a", "../x"), symlink("d/e/b", "../../../../x"), symlink("d/c", "../..")],
    "dot dot in the middle": [symlink("d/a", "."), symlink("b", "d/a/../../x"), symlink("c", "lib/../../run/f")],
    "links to links": [symlink("a", "b"), symlink("b", "a"), symlink("c", "c"), symlink("e", "/proc/self/root")],
    "hard links to links": [symlink("s", "../.."), hardlink("d/t", "s"), symlink("n", "nothing"), hardlink("m", "n")],
    "hard links by other names": [
        member("d/f", b"1"),
        hardlink("a", "/d/f"),
        hardlink("b", "x/../d/f"),
        hardlink("c", "../../d/f"),
        hardlink("e", "./d//f"),
        member("x../f..", b"2"),
        hardlink("g", "x../f.."),
    ],
    "a directory in place of a link": [
        symlink("d", "."),
        member("d", type=tarfile.DIRTYPE, mode=0o755),
        member("d/f", b"1"),
    ],
    "a FIFO": [member("a", type=tarfile.FIFOTYPE, mode=0o640)],
}


@pytest.mark.parametrize("members", AS_TAR.values(), ids=list(AS_TAR))
def test_what_tar_unpacks_safely_is_unpacked_as_tar_does_it(
    members: list[tuple[tarfile.TarInfo, bytes]], tmp_path: Path, target: Path, unpack: Callable[..., object]
) -> None:
    data, theirs = archive(*members), tmp_path / "tar"
    theirs.mkdir()
    command = ["tar", "--preserve-permissions", "--no-same-owner", "-xC", str(theirs)]
    subprocess.run(command, input=data, check=True, stderr=subprocess.DEVNULL)

    unpack(data)

    assert snapshot(target) == snapshot(theirs)
    assert snapshot(target)


def test_a_tree_with_links_of_all_kinds_comes_out_as_it_went_in(
    tmp_path: Path, target: Path, unpack: Callable[..., object]
) -> None:
    source = tmp_path / "in"
    (source / "var" / "lib").mkdir(parents=True)
    (source / "run").mkdir()
    (source / "run" / "f").write_text("x")
    (source / "var" / "lib" / "sock").symlink_to("/run/mysqld/mysqld.sock")
    (source / "var" / "run").symlink_to("lib/../../run")
    (source / "var" / "up").symlink_to("../../../..")
    os.link(source / "var" / "up", source / "var" / "up-again", follow_symlinks=False)
    unpack(gnu_tar(source))
    assert snapshot(target) == snapshot(source)


def test_links_that_stay_inside_are_made(target: Path, unpack: Callable[..., object]) -> None:
    unpack(archive(member("d/f", b"1"), symlink("d/e/l", "../../d/./f"), symlink("to-come", "later")))
    assert (target / "d/e/l").read_bytes() == b"1"
    assert os.readlink(target / "to-come") == "later"


def test_more_data_than_the_limit_is_refused_before_it_is_written(target: Path, refused: Callable[..., Fault]) -> None:
    fault = refused(archive(member("a", bytes(600)), member("b", bytes(500))), limit=1000)
    assert (fault.code, fault.values["limit"]) == ("TargetOutgrown", "1,000")
    assert not (target / "b").exists()


@formats
def test_a_cut_anywhere_is_an_error(format: str, tmp_path: Path, refused: Callable[..., Fault]) -> None:
    build_tree(tmp_path / "outer" / "volume" / "in")
    data = gnu_tar(tmp_path / "outer" / "volume" / "in", f"--format={format}")
    content = len(data.rstrip(b"\0")) // 512 * 512
    chance = random.Random(3)
    cuts = {0, 1, 511, 512, 513, content, *(chance.randrange(content) for _ in range(40))}
    cuts |= {cut // 512 * 512 for cut in cuts}  # between entries too: an end mark is asked for
    assert {cut: refused(data[:cut]).code for cut in cuts} == dict.fromkeys(cuts, "ArchiveInvalid")


def altered(data: bytes, at: int, new: bytes) -> bytes:
    """``data`` with other bytes in its first header, whose checksum is made to fit."""
    block = bytearray(data[:512])
    block[at : at + len(new)] = new
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 256)
    return bytes(block) + data[512:]


GOOD = archive(member("a", b"1"))
INVALID = {
    "no tar at all": b"QFI\xfb" + bytes(5000),
    "a page": b"<!DOCTYPE html>" * 100,
    "a wrong checksum": b"b" + GOOD[1:],
    "damage behind the first entry": GOOD[:1024] + b"junk" * 256,
    "a size that is no number": altered(GOOD, 124, b"hello world\0"),
    "a negative size": altered(GOOD, 124, b"\xff" * 12),
    "an enormous size": altered(GOOD, 124, b"\x80\x00\x00\x00\x7f" + b"\xff" * 7),
    "an unknown type": altered(GOOD, 156, b"Q"),
    "another volume's half": altered(GOOD, 156, b"M"),
    "no name": altered(GOOD, 0, bytes(100)),
    "a file called dot": archive(member(".", b"1")),
    "an empty link": archive(symlink("a", "")),
    "an enormous pax header": altered(altered(GOOD, 156, b"x"), 124, b"77777777777\0"),
    "a pax record that lies": archive(member("x", b"99 path=abc\n", type=b"x"), member("a", b"1")),
    "a pax record of no length": archive(member("x", b"8 path=\n0 path=a\n", type=b"x"), member("a", b"1")),
    "pax records without lengths": archive(member("x", b"8 path=\n" + b"\xff" * 50, type=b"x"), member("a", b"1")),
    "a pax record without value": archive(member("x", b"8 path\n", type=b"x"), member("a", b"1")),
    "a pax name with a zero": archive(member("x", b"12 path=a\0b\n", type=b"x"), member("a", b"1")),
    "a pax size that is none": archive(member("x", b"11 size=-1\n", type=b"x"), member("a", b"1")),
    "a directory in the place of a file": archive(member("a", type=tarfile.DIRTYPE), member("a", b"1")),
    "a part of a name that is too long": archive(member("n" * 300, b"1")),
    "a sparse map beyond the file": archive(
        pax("GNU.sparse.size=10", "GNU.sparse.name=a", "GNU.sparse.map=90,1"), member("a", b"1")
    ),
    "a sparse map that overlaps": archive(
        pax("GNU.sparse.size=99", "GNU.sparse.name=a", "GNU.sparse.map=0,2,1,1"), member("a", b"123")
    ),
    "a sparse map of more than the data": archive(
        pax("GNU.sparse.size=99", "GNU.sparse.name=a", "GNU.sparse.map=0,9"), member("a", b"123")
    ),
    "a sparse map that ends with an offset": archive(
        pax("GNU.sparse.size=99", "GNU.sparse.name=a", "GNU.sparse.map=0,3,9"), member("a", b"123")
    ),
    "sparse runs that end with an offset": archive(
        pax("GNU.sparse.size=99", "GNU.sparse.offset=0", "GNU.sparse.numbytes=3", "GNU.sparse.offset=9"),
        member("a", b"123"),
    ),
    "an empty sparse map": archive(pax("GNU.sparse.size=99", "GNU.sparse.map="), member("a", b"123")),
    "a time that is none": archive(pax("mtime=-"), member("a", b"123")),
    "a time with two signs": archive(pax("mtime=--5"), member("a", b"123")),
    "a sparse map without data": archive(
        pax("GNU.sparse.major=1", "GNU.sparse.realsize=999999"), member("a", b"9999999\n")
    ),
    "a sparse map of no numbers": archive(pax("GNU.sparse.major=1"), member("a", bytes(4096))),
    "a sparse file of the future": archive(pax("GNU.sparse.major=2"), member("a", bytes(4096))),
}


@pytest.mark.parametrize("data", INVALID.values(), ids=list(INVALID))
def test_what_is_no_proper_archive_is_refused(data: bytes, refused: Callable[..., Fault]) -> None:
    assert refused(data).code == "ArchiveInvalid"


def test_a_directory_that_is_not_there_is_a_fault_of_the_target(target: Path) -> None:
    with pytest.raises(Fault, match="TargetMissing"):
        extract(feed(GOOD), target / "no", None)


@pytest.mark.parametrize(
    ("said", "seconds"), [("", 7), ("0", 0), ("-1", -1), ("-1.9", -1), ("1.", 1), ("9223372036854775807", None)]
)
def test_the_first_and_the_last_time(
    said: str, seconds: int | None, target: Path, unpack: Callable[..., object]
) -> None:
    unpack(archive(pax(f"mtime={said}"), member("a", b"1", mtime=7)))

    if seconds is not None:  # else as late as the file system can say
        assert (target / "a").stat().st_mtime == seconds


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (b"0000644\0", 0o644),
        (b"   644 \0", 0o644),
        (b"\0" * 8, 0),
        (b"\x80" + bytes(3) + b"\0\0\1\0", 256),
        (b"\xff" * 8, -1),
        (b"77777777", 0o77777777),
    ],
)
def test_numbers_are_octal_or_binary(field: bytes, value: int) -> None:
    assert parse_field(field) == value
