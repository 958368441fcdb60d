"""What a worker of ``cdi run`` is given, and the directory that is its own."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from cdi.local import worker
from cdi.local.manifests import read
from cdi.local.worker import PrivateDirectory, environment_of

VOLUME = """
apiVersion: cdi.kubevirt.io/v1beta1
kind: DataVolume
metadata: {name: disk}
spec: {source: {http: {url: "http://127.0.0.1/a"}}, storage: {resources: {requests: {storage: 1Gi}}}}
"""
_HELD = """
import sys
from pathlib import Path
from cdi.local import worker
print(worker._locked_directory(Path(sys.argv[1]))[0], flush=True)
sys.stdin.read()
"""


def test_no_worker_of_this_machine_serves_the_metric_of_a_pod(tmp_path: Path) -> None:
    """Whoever has no owner listens on no port: see ``importer.pod``."""
    found = read({"a.yaml": VOLUME})
    told = environment_of(found.volumes[0], found, tmp_path / "disk.img", 1 << 30, {"OWNER_UID": "of the shell"})
    assert told["OWNER_UID"] == ""


def test_what_a_live_run_has_stays_and_what_a_killed_one_had_goes(tmp_path: Path) -> None:
    """Whatever its process number is: one of another container may be the number of nobody here, or of somebody."""
    with subprocess.Popen(
        [sys.executable, "-c", _HELD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as other:
        assert other.stdout is not None
        path = Path(other.stdout.readline().strip())
        worker._sweep(tmp_path)
        assert path.is_dir()
        other.kill()
        other.wait()
        worker._sweep(tmp_path)
        assert not path.exists()


def test_a_link_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "cdi-run-link").symlink_to(tmp_path / "kept")
    worker._sweep(tmp_path)
    assert (tmp_path / "kept").is_dir()


def test_the_directory_of_a_worker_goes_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    files = PrivateDirectory()
    assert files.path.stat().st_mode & 0o777 == 0o700
    files.remove()
    assert not files.path.exists()
