"""Files are cloned with what belongs to them; what a claim must not hold is not followed, and not made."""

from __future__ import annotations

import os
import random
import stat
from pathlib import Path

import pytest
from support.fuzzing import seed
from support.uploading import LOOPBACK, Trust, UploadServer

from cdi.base.faults import Fault
from cdi.base.wire.clone import CloneEnvironment
from cloner.pod import Cloning
from cloner.trees import copy_tree
from importer.cancel import Cancel
from importer.progress import Progress
from importer.target import Target

MiB = 1 << 20


@pytest.fixture
def source(tmp_path: Path) -> Path:
    chance, root = random.Random(seed()), tmp_path / "source"
    (root / "sub" / "deep").mkdir(parents=True)
    (root / "lost+found").mkdir()
    (root / "lost+found" / "inode").write_bytes(b"of the file system")
    # The first name looks like the head of something packed.
    (root / os.fsdecode(b"\x1f\x8b\x08")).write_bytes(chance.randbytes(3 * MiB))
    with (root / "sub" / "sparse").open("wb") as file:
        file.truncate(64 * MiB)
        file.seek(9 * MiB)
        file.write(chance.randbytes(MiB))
    (root / "sub" / "deep" / ("n" * 200)).write_bytes(b"")
    (root / "sub" / "deep" / ("n" * 200)).chmod(0o640)
    os.utime(root / "sub" / "sparse", (10**9, 10**9))
    os.link(root / "sub" / "sparse", root / "again")
    (root / "link").symlink_to("/etc/hostname")
    (root / "to-directory").symlink_to("/etc")
    os.mkfifo(root / "fifo")
    return root


def facts(root: Path) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith("lost+found"):
            continue
        status = path.lstat()
        is_file = stat.S_ISREG(status.st_mode)
        content = os.readlink(path) if path.is_symlink() else path.read_bytes() if is_file else None
        times = int(status.st_mtime) if is_file else None
        found[name] = (status.st_mode, content, times, status.st_nlink if is_file else 0)
    return found


def test_a_tree_is_copied_with_modes_times_links_and_holes(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    copy_tree(source, Target.at_path(target, archive=True, overwrite=True), Progress(), Cancel())
    assert facts(target) == facts(source)
    assert (target / "again").stat().st_blocks * 512 <= 2 * MiB


def test_a_tree_is_sent_to_an_upload_server(source: Path, tmp_path: Path) -> None:
    trust, target = Trust(tmp_path / "trust"), tmp_path / "target"
    target.mkdir()
    with UploadServer(target, trust) as server:
        told = CloneEnvironment(
            mount_point=str(source),
            archive=True,
            upload_url=f"https://{LOOPBACK}:{server.port}/v1beta1/upload",
            server_ca=trust.servers.cert.read_text(),
        ).encode()
        secret = {"CLIENT_KEY": trust.client.key.read_text(), "CLIENT_CERT": trust.client.cert.read_text()}
        said = Cloning(told | secret).work(Progress(), Cancel())
    assert (said.message, said.method) == ("Clone Complete", "network")
    assert facts(target) == facts(source)


def test_a_device_is_named_and_nothing_is_left(source: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    os.mknod(source / "sub" / "null", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    with pytest.raises(Fault) as caught:
        copy_tree(source, Target.at_path(target, archive=True, overwrite=True), Progress(), Cancel())
    assert "sub/null" in caught.value.message and "device" in caught.value.message
    assert list(target.iterdir()) == []
