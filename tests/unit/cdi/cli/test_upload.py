"""``cdi upload``: the DataVolume that it makes, what it takes for a target, and one machine without a cluster."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import msgspec
import pytest

from cdi.api.datavolume import DataVolume
from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.units import GiB, MiB
from cdi.cli import main
from cdi.cli.cluster_upload import right_missing
from cdi.cli.inspect import planned
from cdi.cli.names import Name
from cdi.cli.sending.proxy import proxy_at
from cdi.cli.upload_body import body, must_be_free, size_of
from cdi.cli.upload_ways import is_sparse
from cdi.kube.errors import Forbidden
from importer.sources import SourceSpec

NAME = Name("ns", "disk")


def parsed(*options: str) -> argparse.Namespace:
    return main.build_parser("upload").parse_args(["upload", "disk.raw", "dv/disk", *options])


def test_the_least_that_is_said_makes_the_least_manifest() -> None:
    assert body(parsed(), NAME, 20 * GiB, immediate=False) == {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "disk", "namespace": "ns"},
        "spec": {"source": {"upload": {}}, "storage": {"resources": {"requests": {"storage": "20Gi"}}}},
    }


def test_options_become_members() -> None:
    options = ["--class", "fast", "--access-mode", "ReadWriteMany", "--volume-mode", "Block", "--preallocation"]
    made = body(parsed(*options, "--archive"), NAME, GiB, immediate=True)
    assert made["metadata"]["annotations"] == {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}
    storage = {"storageClassName": "fast", "accessModes": ["ReadWriteMany"], "volumeMode": "Block"}
    assert made["spec"]["storage"].items() >= storage.items()
    assert (made["spec"]["preallocation"], made["spec"]["contentType"]) == (True, "archive")


@pytest.fixture
def disk(tmp_path: Path) -> Path:
    path = tmp_path / "disk.raw"
    path.write_bytes(b"boot" + bytes(10 * MiB - 4))
    return path


def test_the_size_is_what_the_disk_needs(disk: Path) -> None:
    plan = planned(SourceSpec(url=str(disk)), None)
    assert size_of(parsed(), plan, with_room=False) == 10 * MiB
    assert size_of(parsed(), plan, with_room=True) == 74 * MiB
    assert size_of(parsed("--volume-mode", "Block"), plan, with_room=True) == 10 * MiB
    assert size_of(parsed("--size", "1Gi"), plan, with_room=True) == GiB
    with pytest.raises(Fault, match="TargetTooSmall"):
        size_of(parsed("--size", "9Mi"), plan, with_room=True)
    with pytest.raises(Fault, match="SizeUnknown"):
        size_of(parsed("--archive"), None, with_room=True)
    assert is_sparse(plan) and not is_sparse(None)


def volume(source: dict[str, Any], phase: str = "UploadReady", **spec: Any) -> DataVolume:
    storage = {"resources": {"requests": {"storage": "5Mi"}}}
    said = {"metadata": {"name": "disk", "namespace": "ns"}, "spec": {"source": source, "storage": storage, **spec}}
    return msgspec.convert({**said, "status": {"phase": phase}}, DataVolume)


@pytest.mark.parametrize(
    ("found", "code", "said"),
    [
        (volume({"blank": {}}), "UploadTargetOther", "its source is blank"),
        (volume({"upload": {}}, contentType="archive"), "UploadTargetOther", "which --archive sends"),
        (volume({"upload": {}}, "Succeeded"), "UploadFinished", "ns/disk"),
        (volume({"upload": {}}), "TargetTooSmall", "10,485,760"),
    ],
    ids=["other source", "archive", "done", "small"],
)
def test_what_is_there_is_no_target(disk: Path, found: DataVolume, code: str, said: str) -> None:
    with pytest.raises(Fault, match=said) as caught:
        must_be_free(found, planned(SourceSpec(url=str(disk)), None))
    assert caught.value.code == code


@pytest.mark.parametrize(
    ("user", "whom"),
    [("alice", "--user=alice"), ("system:serviceaccount:a:b", "--serviceaccount=a:b"), ("a b", "--user='a b'")],
)
def test_a_right_that_is_missing_is_named_with_who_gives_it(user: str, whom: str) -> None:
    refusal = Forbidden(403, "Forbidden", f'x is forbidden: User "{user}" cannot create resource "x"')
    fault = right_missing(refusal, "create pods/portforward", "team", "edit")
    assert fault.entry.exit is Exit.RIGHTS
    assert "may not create pods/portforward in namespace team" in fault.message
    assert f"run kubectl create rolebinding cdi-upload -n team --clusterrole=edit {whom} and" in fault.remedy


@pytest.mark.parametrize("url", ["http://proxy", "https://", "https://a:b@proxy", "https://proxy:99999", "https://[x"])
def test_a_proxy_is_one_behind_tls(url: str) -> None:
    with pytest.raises(Fault) as caught:
        proxy_at(url, ())
    assert caught.value.code == "UploadProxyUnfit" and "a:b" not in caught.value.message


def run(*words: object) -> int:
    return main.main(["upload", *map(str, words)])


def test_one_machine_without_a_cluster(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KUBECONFIG", "/nowhere")
    data = tmp_path / "data"
    assert run(disk, "dv/one", "--data", data) == Exit.OK
    assert (data / "default" / "one" / "disk.img").read_bytes() == disk.read_bytes()
    assert run(disk, "dv/one", "--data", data) == CATALOGUE["UploadFinished"].exit
    assert "[UploadFinished]" in capsys.readouterr().err
    assert main.main(["get", "dv", "--data", str(data)]) == Exit.OK
    assert "Succeeded" in capsys.readouterr().out


def test_a_path_gets_the_same_bytes(disk: Path, tmp_path: Path) -> None:
    assert run(disk, tmp_path / "out.img") == Exit.OK
    assert (tmp_path / "out.img").read_bytes() == disk.read_bytes()


def test_nothing_is_done_in_a_dry_run(disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(disk, "dv/one", "--data", tmp_path / "data", "--dry-run") == Exit.OK
    assert run(disk, tmp_path / "out.img", "--dry-run") == Exit.OK
    assert "would be written to" in capsys.readouterr().out
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disk.raw"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("{tmp}", "dv/x"), "UploadFileDirectory"),
        (("{tmp}/none", "dv/x", "--data", "{tmp}"), "FileUnreadable"),
        (("{tmp}/page.html", "dv/x", "--data", "{tmp}"), "NotADiskImage"),
        (("{tmp}/disk.raw", "nowhere"), "TargetUnclear"),
        (("{tmp}/disk.raw", "dv/x", "--data", "{tmp}", "--class", "fast"), "OptionUnfit"),
        (("{tmp}/disk.raw", "./out", "-n", "team"), "OptionUnfit"),
        (("{tmp}/disk.raw", "dv/x", "--overwrite", "--kubeconfig", "/nowhere"), "OptionUnfit"),
        (("{tmp}/disk.raw", "dv/x", "--kubeconfig", "/nowhere"), "ClusterNotNamed"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_happens(
    disk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], words: tuple[str, ...], code: str
) -> None:
    (tmp_path / "page.html").write_text("<!DOCTYPE html><html><body>Not found</body></html>")
    assert run(*(word.format(tmp=tmp_path) for word in words)) == CATALOGUE[code].exit
    assert f"[{code}]" in capsys.readouterr().err
