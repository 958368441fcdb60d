from __future__ import annotations

from pathlib import Path

import pytest

from cdi.base.faults import Fault
from cdi.local.store import Store


def test_a_volume_whose_deletion_was_broken_off_can_be_deleted_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "ns" / "disk"
    (place / "contents" / "below").mkdir(parents=True)
    for name in ("disk.img", "manifest.yaml", "status.json", "contents/below/file"):
        (place / name).write_text("{}")
    unlink = Path.unlink

    def killed(path: Path, missing_ok: bool = False) -> None:
        if path.name == "manifest.yaml":
            raise KeyboardInterrupt
        unlink(path, missing_ok)

    store = Store(tmp_path)
    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", killed)
        with pytest.raises(KeyboardInterrupt):
            store.delete("ns", "disk")
    assert (place / "status.json").exists()
    store.delete("ns", "disk")
    assert not list(tmp_path.iterdir())


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(Fault) as caught:
        Store(tmp_path).find("disk", "ns")
    assert caught.value.code == "ObjectNotFound"


@pytest.mark.parametrize(("namespace", "name"), [("ns", ".."), ("..", "disk"), ("ns", "a/b"), ("", "disk"), ("ns", "")])
def test_no_name_leads_out_of_the_data_directory(tmp_path: Path, namespace: str, name: str) -> None:
    store = Store(tmp_path)
    for act in (store.load, store.is_worked_on, store.worker_lives, store.delete):
        with pytest.raises(Fault) as caught:
            act(namespace, name)
        assert caught.value.code == "ManifestInvalid"
