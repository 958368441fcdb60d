"""Imports from a real S3 server (versitygw) by the command and by the pod, to the last byte of the disk."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from support.faultserver import FaultServer, Route
from support.importing import ENVIRONMENT, Outcome, cdi
from support.s3server import ACCESS_KEY, SECRET_KEY, S3Server

from tests.bench.measure import measure

MiB = 1024 * 1024
DISK = random.Random(21).randbytes(5 * MiB) + bytes(3 * MiB) + random.Random(22).randbytes(12 * MiB)
KEYS = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET_KEY}


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    place = tmp_path_factory.mktemp("s3")
    (place / "raw").write_bytes(DISK)
    subprocess.run(["qemu-img", "convert", "-f", "raw", "-O", "qcow2", "raw", "qcow2"], cwd=place, check=True)
    with S3Server(place / "buckets") as server:
        server.put_object("images", "disk.raw", DISK)
        server.put_object("images", "a dir/disk.qcow2", (place / "qcow2").read_bytes())
        server.create_bucket("public", public=True)
        server.put_object("public", "disk.raw", DISK)
        yield server


def refused(outcome: Outcome, status: int, code: str) -> None:
    assert (outcome.status, f"[{code}]" in outcome.stderr) == (status, True), outcome
    assert " Try: " in outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert SECRET_KEY not in outcome.stderr


@pytest.mark.parametrize("url", ["s3://images/disk.raw", "s3://images/a dir/disk.qcow2"])
def test_an_object_becomes_the_disk(url: str, s3: S3Server, tmp_path: Path) -> None:
    outcome = cdi("import", url, tmp_path / "disk.img", env=KEYS | {"AWS_ENDPOINT_URL": s3.endpoint})
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == DISK
    assert [path.name for path in tmp_path.iterdir()] == ["disk.img"]


def test_a_public_object_needs_no_keys(s3: S3Server, tmp_path: Path) -> None:
    env = {"AWS_ENDPOINT_URL": s3.endpoint, "AWS_EC2_METADATA_DISABLED": "true"}
    outcome = cdi("import", "s3://public/disk.raw", tmp_path / "disk.img", env=env)
    assert outcome.status == 0, outcome
    assert (tmp_path / "disk.img").read_bytes() == DISK


@pytest.mark.parametrize(
    ("url", "env", "code"),
    [
        ("s3://images/disk.raw", {"AWS_SECRET_ACCESS_KEY": "wrong"}, "S3Refused"),
        ("s3://images/disk.raw", {"AWS_ACCESS_KEY_ID": "AKIAWRONG"}, "S3Refused"),
        ("s3://images/disk.raw", {"AWS_SESSION_TOKEN": "nobody gave it"}, "S3Refused"),
        ("s3://images/disk.raw", {"AWS_REGION": "eu-central-1"}, "S3Refused"),
        ("s3://images/absent.raw", {}, "S3NotFound"),
        ("s3://absent/disk.raw", {}, "S3NotFound"),
    ],
    ids=["secret", "key", "token", "region", "object", "bucket"],
)
def test_what_s3_refuses_is_told_and_leaves_nothing(
    url: str, env: dict[str, str], code: str, s3: S3Server, tmp_path: Path
) -> None:
    env = KEYS | {"AWS_ENDPOINT_URL": s3.endpoint} | env
    refused(cdi("import", url, tmp_path / "disk.img", env=env), 3, code)
    assert list(tmp_path.iterdir()) == []


# --- the pod ----------------------------------------------------------------------------------------------------------


def pod(directory: Path, **variables: str) -> tuple[int, str]:
    """(exit code, termination message)."""
    log = directory / "termination-log"
    paths = {"CDI_TARGET": str(directory / "disk.img"), "CDI_TERMINATION_LOG": str(log), "IMPORTER_SOURCE": "s3"}
    command = [sys.executable, "-m", "importer.pod"]
    run = subprocess.run(command, env=ENVIRONMENT | paths | variables, capture_output=True, timeout=60)
    return run.returncode, log.read_text()


SECRET = {"IMPORTER_ACCESS_KEY_ID": ACCESS_KEY, "IMPORTER_SECRET_KEY": SECRET_KEY}


def test_a_pod_reads_the_contracts_url_of_endpoint_bucket_and_key(s3: S3Server, tmp_path: Path) -> None:
    status, message = pod(tmp_path, IMPORTER_ENDPOINT=f"{s3.endpoint}/images/disk.raw", **SECRET)
    assert (status, json.loads(message)["message"]) == (0, "Import Complete")
    assert (tmp_path / "disk.img").read_bytes() == DISK


def test_a_pods_url_without_a_key_begins_with_the_contracts_phrase(s3: S3Server, tmp_path: Path) -> None:
    status, message = pod(tmp_path, IMPORTER_ENDPOINT=f"{s3.endpoint}/disk.raw", **SECRET)
    assert status == 1
    assert message.startswith("Unable to connect to s3 data source: [SourceUrlInvalid] ")


def test_a_pod_trusts_the_certificates_of_its_config_map(tmp_path: Path) -> None:
    certificates = tmp_path / "certs"
    certificates.mkdir()
    with S3Server(tmp_path / "s3", tls=True) as server:
        server.put_object("images", "disk.raw", DISK)
        url = f"{server.endpoint}/images/disk.raw"
        status, message = pod(tmp_path, IMPORTER_ENDPOINT=url, **SECRET)
        assert (status, "[TlsUntrusted]" in message) == (1, True)
        assert message.startswith("Unable to connect to s3 data source: ")
        (certificates / "ca.pem").write_bytes(server.ca_file.read_bytes())
        status, message = pod(tmp_path, IMPORTER_ENDPOINT=url, IMPORTER_CERT_DIR=str(certificates), **SECRET)
        assert (status, json.loads(message)["message"]) == (0, "Import Complete")
    assert (tmp_path / "disk.img").read_bytes() == DISK


def test_a_pods_refusal_begins_with_the_contracts_phrase(s3: S3Server, tmp_path: Path) -> None:
    wrong = SECRET | {"IMPORTER_SECRET_KEY": "wrong"}
    status, message = pod(tmp_path, IMPORTER_ENDPOINT=f"{s3.endpoint}/images/disk.raw", **wrong)
    assert status == 1
    assert message.startswith("Unable to connect to s3 data source: ")
    assert "[S3Refused]" in message


# --- signatures end, memory does not grow -----------------------------------------------------------------------------


@dataclass(frozen=True)
class Scripted(Route):
    at: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)

    def version(self, number: int) -> Route:
        return replace(self, **self.at.get(number, {}))


EXPIRED = b"<Error><Code>AccessDenied</Code><Message>Request has expired</Message></Error>"


def test_a_signature_that_ends_in_the_middle_is_renewed_and_the_import_goes_on(tmp_path: Path) -> None:
    ends = {3: {"status": 403, "status_body": EXPIRED}}
    with FaultServer() as server:
        server.add("/images/disk.raw", Scripted(body=DISK, at=ends))
        env = KEYS | {"AWS_ENDPOINT_URL": server.url("")}
        outcome = cdi("import", "s3://images/disk.raw", tmp_path / "disk.img", env=env)
        assert outcome.status == 0, outcome
        assert server.statuses().count(403) == 1
        assert server.bytes_sent < len(DISK) + MiB
    assert (tmp_path / "disk.img").read_bytes() == DISK


@pytest.mark.parametrize(("connections", "most"), [(4, 64 * MiB), (8, 96 * MiB)])
def test_the_whole_process_tree_stays_small(connections: int, most: int, s3: S3Server, tmp_path: Path) -> None:
    if not (s3.root / "images" / "large.raw").exists():
        s3.put_object("images", "large.raw", random.Random(23).randbytes(128 * MiB) * 2)
    options = ["s3://images/large.raw", str(tmp_path / "disk.img"), "--connections", str(connections)]
    env = ENVIRONMENT | KEYS | {"AWS_ENDPOINT_URL": s3.endpoint}
    measured = measure([sys.executable, "-m", "cdi.cli.main", "import", *options], env, tmp_path)
    (tmp_path / "disk.img").unlink()
    assert measured.peak <= most
