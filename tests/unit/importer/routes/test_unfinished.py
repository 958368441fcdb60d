"""What an archive has left is told from what else is in a directory, and only that is removed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from cdi.base.faults import Fault
from importer.routes import unfinished as module
from importer.routes.unfinished import unfinished

MARK = ".cdi-unpacking"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "place" / "lost+found").mkdir(parents=True)
    return tmp_path / "place"


def names(place: Path) -> set[str]:
    return {path.name for path in place.iterdir()}


def unpack(place: Path, *files: str) -> None:
    for name in files:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(name)


def failed(place: Path, error: BaseException, do: Callable[[], object], *, over: bool = False) -> None:
    with unfinished(place, over=over):
        do()
        raise error


def test_the_mark_is_there_before_the_first_entry_and_goes_last(place: Path) -> None:
    with unfinished(place, over=False):
        assert (place / MARK).stat().st_size > 0
        unpack(place, "etc/motd", "file")
    assert names(place) == {"lost+found", "etc", "file"}


@pytest.mark.parametrize("error", [Fault("ArchiveInvalid", detail="x"), KeyError("a defect"), KeyboardInterrupt()])
def test_whatever_ends_it_nothing_is_left(place: Path, error: BaseException) -> None:
    with pytest.raises(type(error)):
        failed(place, error, lambda: unpack(place, "etc/motd", "file"))
    assert names(place) == {"lost+found"}


@pytest.mark.parametrize("over", [False, True])
def test_what_a_killed_attempt_has_left_goes_first(place: Path, over: bool) -> None:
    killed = os.fork()
    if not killed:
        attempt = unfinished(place, over=over)
        attempt.__enter__()
        unpack(place, "etc/motd", "file")
        os._exit(0)
    os.waitpid(killed, 0)
    assert names(place) == {"lost+found", "etc", "file", MARK}
    with unfinished(place, over=over):
        assert names(place) == {"lost+found", MARK}
        unpack(place, "new")
    assert names(place) == {"lost+found", "new"}


def test_among_other_things_nothing_is_unpacked_unless_that_is_asked_for(place: Path) -> None:
    unpack(place, "precious")
    with pytest.raises(Fault) as caught, unfinished(place, over=False):
        raise AssertionError
    assert (caught.value.code, caught.value.values["name"]) == ("DirectoryNotEmpty", "precious")
    assert names(place) == {"lost+found", "precious"}


def test_what_others_put_there_is_never_removed(place: Path) -> None:
    unpack(place, "precious")
    with pytest.raises(KeyError):
        failed(place, KeyError(), lambda: unpack(place, "file"), over=True)
    assert names(place) == {"lost+found", "precious", "file"}
    with unfinished(place, over=True):
        unpack(place, "file")
    assert names(place) == {"lost+found", "precious", "file"}


def test_a_mark_without_content_claims_nothing(place: Path) -> None:
    """Its maker died before it had looked at the directory, or found that it was not empty."""
    unpack(place, "precious")
    (place / MARK).touch()
    with unfinished(place, over=True):
        assert names(place) == {"lost+found", "precious"}
    (place / "precious").unlink()
    (place / MARK).touch()
    with unfinished(place, over=False):
        unpack(place, "file")
    assert names(place) == {"lost+found", "file"}


def test_a_second_import_is_refused_while_the_first_unpacks(place: Path) -> None:
    with unfinished(place, over=False):
        unpack(place, "file")
        with pytest.raises(Fault) as caught, unfinished(place, over=True):
            raise AssertionError
        assert caught.value.code == "TargetBusy"
        assert "file" in names(place)
    assert names(place) == {"lost+found", "file"}


def test_directories_of_any_depth_and_links_out_of_them_go(place: Path, tmp_path: Path) -> None:
    """Deeper than Python recurses, and than a path may be long."""
    unpack(tmp_path, "outside/precious")

    def dig() -> None:
        here = os.open(place, os.O_RDONLY)
        for _ in range(2500):
            os.mkdir("ab", dir_fd=here)
            os.symlink(tmp_path / "outside", "out", dir_fd=here)
            below = os.open("ab", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
        os.close(here)

    with pytest.raises(KeyError):
        failed(place, KeyError(), dig)
    assert names(place) == {"lost+found"}
    assert (tmp_path / "outside" / "precious").read_text() == "outside/precious"


def test_the_first_exception_is_told_and_what_is_left_goes_the_next_time(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(_: object, __: object) -> None:
        raise OSError("Input/output error")

    with monkeypatch.context() as patched:

        def unpack_something() -> None:
            unpack(place, "file")
            patched.setattr(module, "_remove", refused)

        with pytest.raises(Fault, match="ArchiveInvalid"):
            failed(place, Fault("ArchiveInvalid", detail="x"), unpack_something)
        assert names(place) == {"lost+found", "file", MARK}
    with unfinished(place, over=False):
        assert names(place) == {"lost+found", MARK}


@pytest.mark.parametrize("over", [False, True])
def test_a_mark_that_is_not_ours_has_nothing_removed(place: Path, over: bool) -> None:
    (place / MARK).write_text("notes of somebody who unpacks things")
    unpack(place, "precious")
    if over:
        with unfinished(place, over=True):
            unpack(place, "new")
    else:
        with pytest.raises(Fault, match="DirectoryNotEmpty"), unfinished(place, over=False):
            pass
    assert names(place) == {"lost+found", MARK, "precious"} | ({"new"} if over else set())
    assert (place / MARK).read_text() == "notes of somebody who unpacks things"


def test_a_mark_that_a_power_cut_left_empty_is_made_again(place: Path) -> None:
    (place / MARK).write_bytes(bytes(64))
    with unfinished(place, over=False):
        unpack(place, "file")
    assert names(place) == {"lost+found", "file"}
