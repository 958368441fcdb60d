"""What is remembered of an interrupted upload, and for whose eyes."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cdi.cli.sending.kept import Kept, Session

SESSION = Session("/v1beta1/uploads/x", "https://proxy", '"1-2"', "application/octet-stream", 77)


def test_what_is_kept_is_for_its_owner(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "cdi" / "uploads", "0f-4a")
    assert kept.load() is None
    assert kept.save(SESSION)
    assert kept.load() == SESSION
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (kept.directory, kept.directory / "0f-4a.json")]
    assert modes == [0o700, 0o600]
    assert Kept(kept.directory, "another").load() is None
    kept.forget()
    kept.forget()
    assert list(kept.directory.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"{}", b"\xff", b"[" * 100_000, b'{"url": 1}', b'"' + b"x" * 40_000 + b'"'])
def test_what_cannot_be_read_is_not_there(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "u.json").write_bytes(content)
    assert Kept(tmp_path, "u").load() is None


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    other = Kept(tmp_path / "elsewhere", "u")
    other.save(SESSION)
    (tmp_path / "u.json").symlink_to(tmp_path / "elsewhere" / "u.json")
    kept = Kept(tmp_path, "u")
    assert kept.load() is None
    (tmp_path / "u.new").symlink_to(tmp_path / "elsewhere" / "u.json")
    assert not kept.save(SESSION)


@pytest.mark.parametrize("uid", ["", "../x", "a/b", "x" * 65])
def test_a_uid_that_is_none_names_no_file(tmp_path: Path, uid: str) -> None:
    kept = Kept(tmp_path, uid)
    assert not kept.save(SESSION)
    kept.forget()
    assert (kept.load(), list(tmp_path.iterdir())) == (None, [])


def test_the_place_is_the_one_for_state(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert Kept.of("u").directory == Path("/state/cdi/uploads")
    monkeypatch.setenv("XDG_STATE_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/alice")
    assert Kept.of("u").directory == Path("/home/alice/.local/state/cdi/uploads")
