"""The command ``cdi`` against a cluster, run as a user runs it: what it prints, what it leaves, how it ends."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import support.cluster
import yaml
from support import importing
from support.corpus import Corpus
from support.importing import Outcome
from support.kinds import Namespace, annotations
from support.manifests import IMMEDIATE, config_map, datavolume, http, secret, storage
from support.nginx import Nginx
from support.s3server import ACCESS_KEY, SECRET_KEY, S3Server
from support.volumes import read_volume

OK, USAGE, SOURCE, TRANSIENT, INTEGRITY, CANCELLED = 0, 2, 3, 4, 6, 8


class User:
    """Somebody with a kubeconfig."""

    def __init__(self, kubeconfig: Path) -> None:
        self._environment = {"KUBECONFIG": str(kubeconfig)}

    def __call__(self, *words: object, **environment: str) -> Outcome:
        return importing.cdi(*words, env=self._environment | environment)

    @contextmanager
    def starts(self, *words: object) -> Iterator[subprocess.Popen[str]]:
        process = importing.start(*words, env=self._environment)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()


@pytest.fixture
def cdi(installed: support.cluster.Cluster) -> User:
    return User(installed.kubeconfig)


def here(installed: support.cluster.Cluster, scope: str) -> str:
    """The first line of every verb."""
    return f"cluster: {installed.client.configuration.host}, {scope}"


def listed(cdi: User, space: Namespace) -> list[list[str]]:
    """The words of each row of the table of volumes."""
    return [line.split() for line in cdi("get", "dv", "-n", space.name).stdout.splitlines()[1:]]


def test_an_import_has_the_size_of_the_image_and_does_not_wait_for_a_consumer(
    cdi: User, installed: support.cluster.Cluster, space: Namespace, web: Nginx, corpus: Corpus
) -> None:
    url = web.url("disk.raw", "walk")
    outcome = cdi("import", url, f"dv/{space.name}/disk", "--class", "csi-wffc")
    assert (outcome.status, outcome.stdout) == (OK, "")
    first, *lines = outcome.stderr.splitlines()
    assert first == here(installed, f"namespace {space.name}")
    # 24 MiB of disk and 64 MiB for a small file system.
    assert lines[:2] == [
        "class csi-wffc waits for a first consumer: bound at once",
        f"datavolume {space.name}/disk created, 88 MiB",
    ]
    assert [line for line in lines if line.startswith("disk: Fetching    [")]
    assert lines[-1] == "disk: Succeeded"
    assert "\x1b" not in outcome.stderr

    made = space.get("DataVolume", "disk")
    assert made["spec"]["storage"] == {"storageClassName": "csi-wffc", "resources": {"requests": {"storage": "88Mi"}}}
    assert annotations(made).items() >= IMMEDIATE.items()
    content = read_volume(space, "disk", corpus.size)
    assert (content.sum, content.rest_is_zero) == (corpus.sum, True)


def test_a_volume_is_shown_and_deleted(cdi: User, space: Namespace, web: Nginx) -> None:
    name = f"{space.name}/disk"
    lines = cdi("import", web.url("disk.qcow2"), f"dv/{name}", "--class", "shared", "--json")
    assert lines.result == {"name": name, "phase": "Succeeded", "progress": "100.0%"}

    (row,) = listed(cdi, space)
    assert row[:4] == ["disk", "Succeeded", "100.0%", "0"]
    assert [space.name, "disk", "Succeeded"] in [
        line.split()[:3] for line in cdi("get", "dv", "-A").stdout.splitlines()
    ]
    found = space.get("DataVolume", "disk")
    assert yaml.safe_load(cdi("get", f"dv/{name}", "-o", "yaml").stdout) == found
    described = cdi("describe", f"dv/{name}")
    assert (described.status, f"claim {name}, volume pvc-" in described.stdout) == (OK, True)
    assert json.loads(cdi("describe", "dv", name, "-o", "json").stdout)["object"] == found
    assert cdi("why", name).stdout.startswith(f"{name} is Succeeded (100.0%).\nIts disk is whole: claim {name}")
    assert cdi("watch", f"dv/{name}").status == OK

    again = cdi("import", web.url("disk.qcow2"), f"dv/{name}")
    assert (again.status, "[ObjectExists]" in again.stderr) == (USAGE, True)

    gone = cdi("delete", f"dv/{name}", "-o", "json")
    assert (gone.status, gone.result) == (OK, {"name": name, "deleted": True})
    space.wait_gone("DataVolume", "disk")
    assert cdi("get", "dv", "-n", space.name).stdout == f"No DataVolumes in namespace {space.name}.\n"
    missing = cdi("describe", f"dv/{name}")
    assert (missing.status, "[ObjectNotFound]" in missing.stderr) == (USAGE, True)


def test_a_held_import_ends_the_watch_and_says_what_to_do(cdi: User, space: Namespace, web: Nginx) -> None:
    name = f"{space.name}/held"
    made = cdi("import", web.url("missing.qcow2"), f"dv/{name}", "--size", "64Mi", "--class", "shared")
    assert made.status == SOURCE
    assert made.stdout.startswith(f"{name}: Unable to connect to http data source: ")
    assert "[SourceNotFound]" in made.stdout

    answer = cdi("why", name)
    assert answer.status == OK
    assert answer.stdout.startswith(f"{name} is ImportInProgress (N/A).\nIt fails since ")
    assert "\nTry: correct the URL; a waiting import continues by itself.\n" in answer.stdout
    assert "\nWorker importer-held: " in answer.stdout
    assert re.search(r"\nAttempts, newest last:\n  \S+ to \S+ on \S+: SourceNotFound\n", answer.stdout)
    assert "Last lines of the worker's log:" in answer.stdout
    record = json.loads(cdi("why", name, "-o", "json").stdout)
    assert (record["code"], record["remedy"][:15]) == ("SourceNotFound", "correct the URL")

    assert cdi("watch", f"dv/{name}").status == SOURCE
    again = space.wait("DataVolume", "held", lambda dv: "nextAttempt" in dv["status"].get("failure", {}))
    assert again["status"]["failure"]["nextAttempt"] > again["status"]["failure"]["since"]
    assert listed(cdi, space)[0][-1] == "SourceNotFound"


def test_ctrl_c_detaches_and_the_import_goes_on(cdi: User, space: Namespace, web: Nginx) -> None:
    name = f"{space.name}/disk"
    words = ["import", web.url("disk.raw", "crawl"), f"dv/{name}", "--class", "shared"]
    with cdi.starts(*words) as process:
        assert process.stderr is not None
        assert any("Fetching" in line for line in process.stderr)
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
        assert process.wait(10) == CANCELLED
    assert rest.splitlines()[-3:] == [
        "cdi: detached; the import goes on in the cluster.",
        f"  cdi watch dv/{name}    attaches again",
        f"  cdi delete dv/{name}   stops it and removes its disk",
    ]

    with cdi.starts("watch", f"dv/{name}", "--json") as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert any(json.loads(line).get("bytesDone") for line in process.stdout)
        assert cdi("delete", f"dv/{name}").stdout == f"datavolume {name} deleted\n"
        assert "[ObjectDeleted]" in process.stderr.read()
        assert process.wait(10) == CANCELLED


def test_without_a_name_all_volumes_are_watched(
    cdi: User, installed: support.cluster.Cluster, space: Namespace, web: Nginx
) -> None:
    space.create(datavolume("a", http(web.url("disk.qcow2")), storage=storage("64Mi", "shared")))
    with cdi.starts("watch", "-n", space.name) as process:
        assert process.stderr is not None and process.stdout is not None
        assert process.stderr.readline() == f"{here(installed, f'namespace {space.name}')}\n"
        assert any(line == "a: Succeeded\n" for line in process.stdout)
        space.create(datavolume("b", {"blank": {}}, storage=storage("64Mi", "shared")))
        assert any(line == "b: Succeeded\n" for line in process.stdout)
        space.delete("DataVolume", "a")
        assert process.stdout.readline() == f"{space.name}/a: deleted\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == CANCELLED


def test_the_storage_classes_are_listed(cdi: User, installed: support.cluster.Cluster) -> None:
    listing = cdi("storage")
    assert (listing.status, listing.stderr) == (OK, f"{here(installed, 'namespace default')}\n")
    names = {line.split()[0] for line in listing.stdout.splitlines()}
    items = {item["name"]: item for item in json.loads(cdi("storage", "-o", "json").stdout)["items"]}
    assert {"csi", "csi-wffc", "shared"} <= names & items.keys()
    assert items["csi-wffc"]["binding"] == "WaitForFirstConsumer"
    assert items["csi"]["isDefault"]
    (problem,) = items["unknown"]["problems"]
    assert "RWO/Filesystem is assumed" in problem  # the gate is in our own CDI object


@pytest.fixture
def s3(tmp_path: Path, corpus: Corpus, host: str) -> Iterator[S3Server]:
    with S3Server(tmp_path / "s3", host=host) as server:
        server.create_bucket("public", public=True)
        server.put_object("public", "disk.qcow2", (corpus.files / "disk.qcow2").read_bytes())
        yield server


def test_a_public_s3_object_is_imported_with_its_checksum(
    cdi: User, space: Namespace, s3: S3Server, corpus: Corpus
) -> None:
    checksum = f"sha256:{hashlib.sha256((corpus.files / 'disk.qcow2').read_bytes()).hexdigest()}"
    words = ["s3://public/disk.qcow2", "dv/disk", "-n", space.name, "--class", "shared", "--checksum", checksum]
    outcome = cdi("import", *words, AWS_ENDPOINT_URL=s3.endpoint, AWS_EC2_METADATA_DISABLED="true")
    assert outcome.status == OK, outcome
    made = space.get("DataVolume", "disk")
    assert annotations(made)["cdi.kubevirt.io/storage.import.checksum"] == checksum
    assert made["spec"]["source"] == {"s3": {"url": f"{s3.endpoint}/public/disk.qcow2"}}
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


@pytest.mark.parametrize("class_name", ["shared", "csi"])
def test_an_s3_object_of_another_checksum_is_no_disk(
    cdi: User, space: Namespace, s3: S3Server, class_name: str
) -> None:
    """Both ways: an s3 source has no field for it, so the annotation has to reach the worker."""
    words = ["s3://public/disk.qcow2", "dv/disk", "-n", space.name, "--class", class_name]
    wrong = f"sha256:{'0' * 64}"
    outcome = cdi("import", *words, "--checksum", wrong, AWS_ENDPOINT_URL=s3.endpoint, AWS_EC2_METADATA_DISABLED="true")
    assert outcome.status == INTEGRITY, outcome
    assert space.wait_phase("disk", "Failed")["status"]["failure"]["code"] == "ChecksumMismatch"


def test_a_private_s3_object_is_opened_with_the_secret_of_its_namespace(
    cdi: User, space: Namespace, s3: S3Server, corpus: Corpus
) -> None:
    s3.put_object("private", "disk.qcow2", (corpus.files / "disk.qcow2").read_bytes())
    space.create(secret("keys", accessKeyId=ACCESS_KEY, secretKey=SECRET_KEY))
    space.create(secret("half", accessKeyId=ACCESS_KEY))
    # This shell could open it, and the worker could not: what the shell has must not make the size known.
    shell = {
        "AWS_ENDPOINT_URL": s3.endpoint,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }
    words = ["import", "s3://private/disk.qcow2", "dv/disk", "-n", space.name, "--class", "shared"]
    refused = {(): "[S3Refused]", ("--secret", "half"): "[CredentialsMissing]", ("--secret", "no"): "[ReferredMissing]"}
    for options, code in refused.items():
        outcome = cdi(*words, *options, **shell)
        assert outcome.status in (USAGE, SOURCE)
        assert code in outcome.stderr
    assert not space.list("DataVolume")

    outcome = cdi(*words, "--secret", "keys", **shell)
    assert outcome.status == OK, outcome
    remote = {"url": f"{s3.endpoint}/private/disk.qcow2", "secretRef": "keys"}
    assert space.get("DataVolume", "disk")["spec"]["source"] == {"s3": remote}
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_a_server_of_a_private_ca_is_known_by_the_config_map(
    cdi: User, space: Namespace, web: Nginx, corpus: Corpus
) -> None:
    space.create(config_map("ours", {"ca.pem": web.ca_file.read_text()}))
    words = ["import", web.url("disk.qcow2", tls=True), "dv/disk", "-n", space.name, "--class", "shared"]
    unknown = cdi(*words)
    assert (unknown.status, "[TlsUntrusted]" in unknown.stderr) == (SOURCE, True), unknown
    outcome = cdi(*words, "--ca-configmap", "ours")
    assert outcome.status == OK, outcome
    assert read_volume(space, "disk", corpus.size).sum == corpus.sum


def test_what_cannot_be_honoured_makes_nothing(cdi: User, space: Namespace, web: Nginx) -> None:
    url = web.url("disk.qcow2")
    for words in (["--class", "no-such-class"], ["--region", "eu-1"], ["--retries", "3"]):
        outcome = cdi("import", url, f"dv/{space.name}/disk", *words)
        assert (outcome.status, outcome.stderr.count(" Try: ")) == (USAGE, 1)
    assert not space.list("DataVolume")


@pytest.mark.parametrize("verb", ["get dv", "why disk", "watch dv/disk", "storage", "delete dv/disk"])
def test_an_unreachable_cluster_is_an_error_and_nothing_here_stands_in(
    cdi: User, installed: support.cluster.Cluster, tmp_path: Path, verb: str
) -> None:
    config = yaml.safe_load(installed.kubeconfig.read_text())
    for entry in config["clusters"]:
        entry["cluster"]["server"] = "https://127.0.0.1:1"
    elsewhere = tmp_path / "kubeconfig"
    elsewhere.write_text(yaml.safe_dump(config))
    outcome = cdi(*verb.split(), "--kubeconfig", elsewhere, CDI_DATA=str(tmp_path))
    assert (outcome.status, outcome.stdout) == (TRANSIENT, "")
    first, second = outcome.stderr.splitlines()
    assert first == "cluster: https://127.0.0.1:1, namespace default"
    assert second.startswith("cdi: [ClusterUnreachable] ")
