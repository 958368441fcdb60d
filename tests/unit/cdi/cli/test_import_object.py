"""``cdi import URL dv/NAME``: the DataVolume that it makes, and the options that it refuses."""

from __future__ import annotations

import argparse
from typing import Any

import pytest

from cdi.base.faults import CATALOGUE, Exit, Fault
from cdi.base.units import GiB
from cdi.cli import import_object, main, unfit
from cdi.cli.class_row import ClassRow
from cdi.cli.names import Name

SHA = f"sha256:{'a' * 64}"
NAME = Name("ns", "disk")
HTTP, S3 = "http://127.0.0.1:1/disk.img", "s3://bucket/disk.img"


def parsed(source: str, *options: str, target: str = "dv/disk") -> argparse.Namespace:
    return main.build_parser("import").parse_args(["import", source, target, *options])


def made(source: str, *options: str, immediate: bool = False) -> dict[str, Any]:
    return import_object.body(parsed(source, *options), NAME, 20 * GiB, immediate=immediate)


def test_the_least_that_is_said_makes_the_least_manifest() -> None:
    assert made(HTTP) == {
        "apiVersion": "cdi.kubevirt.io/v1beta1",
        "kind": "DataVolume",
        "metadata": {"name": "disk", "namespace": "ns"},
        "spec": {
            "source": {"http": {"url": HTTP}},
            "storage": {"resources": {"requests": {"storage": "20Gi"}}},
        },
    }


def test_options_become_members() -> None:
    options = ["--checksum", SHA, "--header", "X-A: 1", "--header", "X-B: 2", "--insecure"]
    body = made(HTTP, *options, "--class", "fast", "--preallocation", "--archive", immediate=True)
    assert body["spec"]["source"]["http"] == {
        "url": HTTP,
        "checksum": SHA,
        "extraHeaders": ["X-A: 1", "X-B: 2"],
        "insecureSkipVerify": True,
    }
    assert body["spec"]["storage"]["storageClassName"] == "fast"
    assert (body["spec"]["preallocation"], body["spec"]["contentType"]) == (True, "archive")
    assert body["metadata"]["annotations"] == {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"}


@pytest.mark.parametrize(("source", "kind"), [(HTTP, "http"), (S3, "s3")])
def test_what_opens_a_source_is_referred_to(source: str, kind: str) -> None:
    body = made(source, "--secret", "keys", "--ca-configmap", "ours")
    (remote,) = body["spec"]["source"].items()
    assert remote[0] == kind
    assert remote[1].items() >= {"secretRef": "keys", "certConfigMap": "ours"}.items()


@pytest.mark.parametrize(
    ("endpoint", "source", "url"),
    [
        ("", S3, "https://s3.us-east-1.amazonaws.com/bucket/disk.img"),
        ("http://127.0.0.1:9000", S3, "http://127.0.0.1:9000/bucket/disk.img"),
        (
            "http://127.0.0.1:9000",
            "s3://bucket/a dir/b?versionId=3",
            "http://127.0.0.1:9000/bucket/a%20dir/b?versionId=3",
        ),
    ],
)
def test_an_s3_object_is_named_as_clusters_take_it(
    endpoint: str, source: str, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ENDPOINT_URL", endpoint)
    assert made(source)["spec"]["source"] == {"s3": {"url": url}}


def test_the_checksum_of_an_s3_source_is_an_annotation() -> None:
    body = made(S3, "--checksum", SHA)
    assert list(body["spec"]["source"]["s3"]) == ["url"]
    assert body["metadata"]["annotations"] == {"cdi.kubevirt.io/storage.import.checksum": SHA}
    assert "annotations" not in made(S3)["metadata"]


UNFIT = {
    "--overwrite": [],
    "--state": ["dir"],
    "--user": ["somebody"],
    "--header-file": ["file"],
    "--ca": ["file"],
    "--region": ["eu-1"],
    "--connections": ["8"],
    "--retries": ["0"],
    "--stall-timeout": ["60"],
}


@pytest.mark.parametrize("source", [HTTP, S3])
@pytest.mark.parametrize("option", UNFIT)
def test_what_a_datavolume_cannot_honour_is_refused_before_anything_is_asked(
    source: str, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    # Neither the source nor the cluster exists: whoever asked them would end otherwise.
    status = main.main(["import", source, "dv/disk", option, *UNFIT[option], "--kubeconfig", "/nowhere"])
    said = capsys.readouterr().err
    assert (status, said.count("\n")) == (Exit.USAGE, 1)
    assert f"[OptionUnfit] {option} has no meaning for dv/disk." in said


@pytest.mark.parametrize("options", [["--header", "A: b"], ["--insecure"]])
def test_headers_and_trust_are_for_http_only(options: list[str]) -> None:
    unfit.check_object(parsed(HTTP, *options))
    with pytest.raises(Fault, match=options[0]):
        unfit.check_object(parsed(S3, *options))


def test_a_file_of_this_machine_is_out_of_a_workers_reach() -> None:
    for source in ("/images/disk.img", "docker://x/y", "./disk.qcow2"):
        with pytest.raises(Fault) as caught:
            unfit.check_object(parsed(source))
        assert (caught.value.code, caught.value.values["source"]) == ("SourceOfThisMachine", source)


@pytest.mark.parametrize("source", [HTTP, S3])
def test_a_checksum_that_is_none_is_refused_before_anything_is_asked(
    source: str, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["import", source, "dv/disk", "--size", "1Gi", "--checksum", "sha256:xyz", "--kubeconfig", "/nowhere"]
    assert main.main(words) == CATALOGUE["ChecksumInvalid"].exit
    assert "[ChecksumInvalid]" in capsys.readouterr().err


@pytest.mark.parametrize(
    "options",
    [
        ["--class", "fast"],
        ["--secret", "keys"],
        ["--ca-configmap", "ours"],
        ["--detach"],
        ["--kubeconfig", "f"],
        ["--context", "c"],
        ["-n", "ns"],
    ],
)
def test_what_a_path_cannot_honour_is_refused_too(options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main.main(["import", HTTP, "./disk.img", *options]) == Exit.USAGE
    assert "[OptionUnfit]" in capsys.readouterr().err


def test_help_names_what_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parsed(HTTP, "--help")
    said = " ".join(capsys.readouterr().out.split())
    _, _, rest = said.partition("Not for dv/NAME: ")
    assert rest.startswith(f"{', '.join(UNFIT)}; with an s3 source also --header, --insecure.")


def a_class(name: str, binding: str = "Immediate", *, default: bool = False, archives: bool = False) -> ClassRow:
    return ClassRow(name, "csi.test", default, binding, (), "", "", "unknown", is_archive_default=archives)


def test_the_class_that_is_taken_depends_on_what_is_imported() -> None:
    classes = [a_class("files", archives=True), a_class("disks", "WaitForFirstConsumer", default=True)]
    for archive, name in ((False, "disks"), (True, "files")):
        found = import_object.class_of(classes, None, archive=archive)
        assert found is not None and found.name == name


def test_a_class_must_be_there_and_one_must_be_meant() -> None:
    for wanted, code in (("fats", "StorageClassUnknown"), (None, "DefaultClassMissing")):
        with pytest.raises(Fault) as caught:
            import_object.class_of([a_class("fast")], wanted, archive=False)
        assert caught.value.code == code
    assert import_object.class_of([a_class("fast", "")], None, archive=False) is None  # this user may not know it
