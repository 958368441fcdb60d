"""Which unfinished disk is ours, and how one gets its name."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from importer.sinks import kernel, part
from importer.sinks.identity import file_identity
from importer.sinks.options import SinkOptions
from importer.sinks.part import Part

PRECIOUS = b"precious"
STRANGER = SinkOptions(recognise=lambda _identity: False)


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "disk.img"


@pytest.fixture(params=["with marks", "without"])
def marks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Some file systems have no extended attributes."""
    if request.param == "without":

        def refused(*_: object) -> bytes:
            raise OSError(errno.EOPNOTSUPP, os.strerror(errno.EOPNOTSUPP))

        for call in ("setxattr", "getxattr", "removexattr"):
            monkeypatch.setattr(os, call, refused)
    return bool(request.param == "with marks")


def unfinished(target: Path) -> str:
    """What a killed process leaves; its identity."""
    opened = Part(target, STRANGER)
    os.write(opened.fd, PRECIOUS)
    identity = file_identity(opened.fd)
    opened.close()
    return identity


def put(kind: str, path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(PRECIOUS)
    match kind:
        case "a file":
            path.write_bytes(PRECIOUS)
        case "a symbolic link":
            path.symlink_to(other)
        case "a dangling link":
            path.symlink_to(path.with_name("nothing"))
        case "a hard link":
            path.hardlink_to(other)
        case "a FIFO":
            os.mkfifo(path)
        case "a directory":
            path.mkdir()
        case "a socket":
            with socket.socket(socket.AF_UNIX) as server:
                server.bind(str(path))


FOREIGN = ["a file", "a symbolic link", "a dangling link", "a hard link", "a FIFO", "a directory", "a socket"]


@pytest.mark.parametrize("kind", FOREIGN)
def test_what_is_not_ours_is_refused_and_stays_as_it_is(kind: str, target: Path, marks: bool) -> None:
    path = part.part_of(target)
    put(kind, path)
    before = path.lstat()
    with pytest.raises(Fault) as caught:
        Part(target, STRANGER)
    link = kind in ("a symbolic link", "a dangling link")
    assert caught.value.code == ("TargetFailed" if link else "TargetForeign")
    assert str(path) in caught.value.message
    after = path.lstat()
    assert (after.st_ino, after.st_mode, after.st_size) == (before.st_ino, before.st_mode, before.st_size)
    assert (after.st_mtime_ns, after.st_ctime_ns) == (before.st_mtime_ns, before.st_ctime_ns)
    assert target.with_name("other").read_bytes() == PRECIOUS
    assert not target.with_name("nothing").exists()


@pytest.mark.parametrize("kind", [kind for kind in FOREIGN if kind != "a directory"])
def test_where_only_imports_write_it_loses_its_name_and_what_it_led_to_is_left(kind: str, target: Path) -> None:
    put(kind, part.part_of(target))
    opened = Part(target, SinkOptions(recognise=lambda _identity: False, is_own=True))
    assert opened.fresh
    os.write(opened.fd, b"disk")
    opened.publish()
    opened.close()
    assert target.read_bytes() == b"disk"
    assert target.with_name("other").read_bytes() == PRECIOUS
    assert not target.with_name("nothing").exists()


def test_a_part_is_known_by_its_mark(target: Path) -> None:
    unfinished(target)
    again = Part(target, STRANGER)
    assert not again.fresh
    again.close()


def test_a_part_is_known_by_its_journal(target: Path, marks: bool) -> None:
    identity = unfinished(target)
    again = Part(target, SinkOptions(recognise=lambda found: found == identity))
    assert not again.fresh
    assert os.pread(again.fd, 100, 0) == PRECIOUS
    again.close()


@pytest.mark.parametrize("how", ["copied", "renamed"])
def test_a_mark_is_that_of_one_file_under_one_name(how: str, target: Path) -> None:
    unfinished(target)
    here, there = part.part_of(target), part.part_of(target.with_name("other.img"))
    if how == "renamed":
        here.rename(there)
    else:
        there.write_bytes(here.read_bytes())
        os.setxattr(there, "user.cdi", os.getxattr(here, "user.cdi"))
    with pytest.raises(Fault, match="TargetForeign"):
        Part(target.with_name("other.img"), STRANGER)
    assert there.read_bytes() == PRECIOUS


@pytest.mark.parametrize("size", [0, 1 << 20])
def test_what_holds_nothing_may_be_written(size: int, target: Path, marks: bool) -> None:
    """A process that was killed before it wrote anything leaves this."""
    part.part_of(target).touch()
    os.truncate(part.part_of(target), size)
    Part(target, STRANGER).close()


def no_replacing(monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """File systems that lack one way after the other."""

    def lacks(number: int) -> Callable[..., None]:
        def call(*_: object, **__: object) -> None:
            raise OSError(number, os.strerror(number))

        return call

    if kind != "renameat2":
        monkeypatch.setattr(kernel, "rename_to_new", lacks(errno.EINVAL))
    if kind == "neither":
        monkeypatch.setattr(os, "link", lacks(errno.EPERM))


@pytest.mark.parametrize("kind", ["renameat2", "link", "neither"])
@pytest.mark.parametrize("there", ["nothing", *FOREIGN])
def test_nothing_that_came_meanwhile_is_replaced(
    kind: str, there: str, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = Part(target, SinkOptions(replace=False))
    os.write(opened.fd, b"disk")
    if there != "nothing":
        put(there, target)
    no_replacing(monkeypatch, kind)
    if there == "nothing":
        opened.publish()
        assert target.read_bytes() == b"disk"
        assert not part.part_of(target).exists()
        assert target.stat().st_nlink == 1
    else:
        before = target.lstat()
        with pytest.raises(Fault, match="TargetExists"):
            opened.publish()
        assert os.path.samestat(before, target.lstat())
        assert part.part_of(target).read_bytes() == b"disk"
    opened.close()


@pytest.mark.parametrize("kind", FOREIGN)
def test_only_a_file_or_a_link_is_replaced_when_it_is_asked_for(kind: str, target: Path) -> None:
    opened = Part(target, SinkOptions(replace=True))
    os.write(opened.fd, b"disk")
    put(kind, target)
    if "link" in kind or kind == "a file":
        opened.publish()
        assert not target.is_symlink()
        assert target.read_bytes() == b"disk"
    else:
        before = target.lstat()
        with pytest.raises(Fault, match="TargetForeign"):
            opened.publish()
        assert os.path.samestat(before, target.lstat())
    assert target.with_name("other").read_bytes() == PRECIOUS
    opened.close()


def test_killed_between_the_link_and_the_end_of_the_part_the_disk_stays(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    no_replacing(monkeypatch, "link")
    opened = Part(target, SinkOptions(replace=False))
    os.write(opened.fd, PRECIOUS)

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            opened.publish()
    opened.close()
    again = Part(target, STRANGER)
    assert again.fresh
    os.write(again.fd, b"next")
    again.close()
    assert target.read_bytes() == PRECIOUS


@pytest.mark.parametrize("what", ["publish", "remove"])
def test_a_file_that_has_taken_the_name_of_the_part_is_left(what: str, target: Path) -> None:
    opened = Part(target, STRANGER)
    part.part_of(target).unlink()
    part.part_of(target).write_bytes(PRECIOUS)
    if what == "publish":
        with pytest.raises(Fault, match="another program removed or replaced it"):
            opened.publish()
    else:
        opened.remove()
    opened.close()
    assert part.part_of(target).read_bytes() == PRECIOUS
    assert not target.exists()


def test_a_published_disk_has_no_mark(target: Path) -> None:
    opened = Part(target, STRANGER)
    opened.publish()
    opened.close()
    assert os.listxattr(target) == []
