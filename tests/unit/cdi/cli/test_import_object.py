"""``cdi import URL dv/NAME``: the object that is made, and options that a worker could not heed."""

from __future__ import annotations

import argparse

import pytest

from cdi.base.faults import Fault
from cdi.cli import import_, import_object
from cdi.cli.names import Name

NAME = Name("vms", "disk")


def arguments(*words: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    import_.register(parser.add_subparsers())
    return parser.parse_args(["import", *words])


def test_what_was_asked_for_is_in_the_object() -> None:
    asked = arguments(
        *("https://a/disk.qcow2", "dv/disk", "--checksum", "md5:12", "--header", "X: y", "--insecure"),
        *("--class", "fast", "--preallocation"),
    )
    body = import_object.body(asked, NAME, 5 << 30, immediate=True)
    assert body["metadata"] == {
        "name": "disk",
        "namespace": "vms",
        "annotations": {"cdi.kubevirt.io/storage.bind.immediate.requested": "true"},
    }
    source = {"url": "https://a/disk.qcow2", "checksum": "md5:12", "extraHeaders": ["X: y"], "insecureSkipVerify": True}
    storage = {"resources": {"requests": {"storage": "5Gi"}}, "storageClassName": "fast"}
    assert body["spec"] == {"source": {"http": source}, "storage": storage, "preallocation": True}


def test_a_checksum_of_an_s3_object_stands_in_the_annotation_that_serves_any_source() -> None:
    body = import_object.body(
        arguments("s3://b/disk", "dv/disk", "--checksum", "md5:12"), NAME, 1 << 30, immediate=False
    )
    assert body["spec"]["source"] == {"s3": {"url": "s3://b/disk"}}
    assert body["metadata"]["annotations"] == {"cdi.kubevirt.io/storage.import.checksum": "md5:12"}


def test_a_file_of_this_machine_is_no_source_for_a_worker() -> None:
    with pytest.raises(Fault, match="cannot read files of this machine"):
        import_object.body(arguments("./disk.img", "dv/disk"), NAME, 1 << 30, immediate=False)


@pytest.mark.parametrize(
    "option",
    [
        ["--overwrite"], ["--state", "/x"], ["--user", "me"], ["--header-file", "f"], ["--ca", "f"], ["--region", "r"],
        ["--connections", "2"], ["--retries", "1"], ["--stall-timeout", "5"],
    ],
    ids=lambda option: option[0],
)  # fmt: skip
def test_an_option_that_no_worker_would_heed_is_refused(option: list[str]) -> None:
    with pytest.raises(Fault, match=option[0]) as refused:
        import_object.check_options(arguments("http://a/disk", "dv/disk", *option))
    assert refused.value.code == "OptionUnfit"


@pytest.mark.parametrize("option", [["--header", "X: y"], ["--insecure"]], ids=lambda option: option[0])
def test_an_s3_source_has_fewer_fields_than_http(option: list[str]) -> None:
    import_object.check_options(arguments("http://a/disk", "dv/disk", *option))
    with pytest.raises(Fault, match="no such field"):
        import_object.check_options(arguments("s3://b/disk", "dv/disk", *option))
