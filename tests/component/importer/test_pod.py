"""The importer's entry point: the contract's environment in; exit code, termination message and progress lines out."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import ENVIRONMENT

DATA = random.Random(3).randbytes(3 * 1024 * 1024)


@pytest.fixture
def server() -> Iterator[FaultServer]:
    with FaultServer() as server:
        yield server


class Pod:
    """One run of the worker with ``CDI_TARGET`` in ``directory``."""

    def __init__(self, directory: Path, *words: str, **variables: str) -> None:
        self.disk = directory / "disk.img"
        log = directory / "termination-log"
        environment = {**ENVIRONMENT, "CDI_TARGET": str(self.disk), "CDI_TERMINATION_LOG": str(log), **variables}
        run = subprocess.run(
            [sys.executable, "-m", "importer.pod", *words], env=environment, capture_output=True, text=True, timeout=60
        )
        self.status = run.returncode
        self.log = run.stderr
        self.progress = [json.loads(line) for line in run.stdout.splitlines()]
        self.message = log.read_text() if log.exists() else ""


def test_a_success_ends_with_the_contract_s_message(server: FaultServer, tmp_path: Path) -> None:
    url = server.add("/disk.img", Route(body=DATA, content_type="text/html"))
    pod = Pod(tmp_path, IMPORTER_SOURCE="http", IMPORTER_ENDPOINT=url, IMPORTER_IMAGE_SIZE="8Mi")
    assert pod.status == 0, pod.log
    said = json.loads(pod.message)
    assert (said["preallocationApplied"], said["message"]) == (False, "Import Complete")
    assert said["bytesDone"] == len(DATA)
    assert pod.disk.stat().st_size == 8 * 1024 * 1024
    assert pod.disk.read_bytes()[: len(DATA)] == DATA
    assert pod.progress[-1]["percent"] == 100.0
    assert f"Successfully completed fsync({pod.disk}) syscall" in pod.log
    assert "Unexpected content type 'text/html'. Content might not be a KubeVirt image." in pod.log


@pytest.mark.parametrize(("words", "detailed"), [(("-v=1",), False), (("-v=3",), True), (("-v=much", "--more"), False)])
def test_every_step_is_logged_when_that_is_asked_for(
    server: FaultServer, tmp_path: Path, words: tuple[str, ...], detailed: bool
) -> None:
    url = server.add("/disk.img", Route(body=DATA))
    pod = Pod(tmp_path, *words, IMPORTER_ENDPOINT=url, IMPORTER_IMAGE_SIZE="8Mi")
    assert pod.status == 0, pod.log
    assert ("connected to 127.0.0.1" in pod.log) is detailed
    assert ("virtual size" in pod.log) is detailed


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"not found, sorry\n", "[NotADiskImage] the first bytes of {url} are a text of 17 bytes: 'not found, sorry'."),
        (b"Rar!\x1a\x07\x00" + DATA, "[PackingUnsupported] {url} is a rar archive."),
    ],
)
def test_what_is_no_disk_is_told_under_the_contract_s_phrase(
    body: bytes, told: str, server: FaultServer, tmp_path: Path
) -> None:
    url = server.add("/disk.img", Route(body=body))
    pod = Pod(tmp_path, IMPORTER_ENDPOINT=url)
    assert pod.status == 1
    assert pod.message.startswith("Unable to connect to http data source: " + told.format(url=url))
    assert not pod.disk.exists()


def test_a_missing_file_is_told_under_the_contract_s_phrase(server: FaultServer, tmp_path: Path) -> None:
    url = server.add("/gone", Route(status=404))
    pod = Pod(tmp_path, IMPORTER_ENDPOINT=url)
    assert pod.status == 1
    assert pod.message.startswith(
        "Unable to connect to http data source: expected status code 200, got 404. Status: 404 Not Found"
        " [SourceNotFound]"
    )
    assert pod.message.endswith("Try: correct the URL; a waiting import continues by itself.")
    assert len(server.requests) == 1
    assert not pod.disk.exists()


def test_a_wrong_checksum_exits_0_so_that_nobody_starts_it_again(server: FaultServer, tmp_path: Path) -> None:
    url = server.add("/disk.img", Route(body=DATA))
    pod = Pod(tmp_path, IMPORTER_ENDPOINT=url, IMPORTER_CHECKSUM="md5:" + "0" * 32)
    calculated = hashlib.md5(DATA).hexdigest()
    assert pod.status == 0
    assert json.loads(pod.message)["message"].startswith(
        "Unable to process data: checksum validation failed: checksum mismatch: "
        f"expected md5:{'0' * 32}, calculated md5:{calculated}"
    )
    assert sorted(path.name for path in tmp_path.iterdir()) == ["termination-log"]


def test_a_blank_disk_is_made_of_the_size_asked_for(tmp_path: Path) -> None:
    pod = Pod(tmp_path, IMPORTER_SOURCE="none", IMPORTER_IMAGE_SIZE="5Mi", PREALLOCATION="true")
    assert pod.status == 0, pod.log
    assert json.loads(pod.message)["preallocationApplied"] is True
    assert pod.disk.read_bytes() == bytes(5 * 1024 * 1024)
    assert pod.disk.stat().st_blocks * 512 >= 5 * 1024 * 1024
    assert pod.disk.stat().st_mode & 0o777 == 0o660


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"IMPORTER_SOURCE": "none", "IMPORTER_CONTENTTYPE": "archive", "IMPORTER_IMAGE_SIZE": "1Mi"},
         "Unable to create blank image: Cannot create empty disk with content type archive"),
        ({"IMPORTER_SOURCE": "tape"}, "Unknown data source: tape"),
        ({"PREALLOCATION": "maybe", "IMPORTER_ENDPOINT": "http://127.0.0.1:1/"}, "'maybe' is neither true nor false"),
        ({"IMPORTER_IMAGE_SIZE": "big", "IMPORTER_ENDPOINT": "http://127.0.0.1:1/"}, "'big' is not a size"),
        ({"FILESYSTEM_OVERHEAD": "big", "CDI_TARGET": "", "IMPORTER_ENDPOINT": "http://127.0.0.1:1/"},
         "'big' is no share from 0 to 1"),
        ({"IMPORTER_ENDPOINT": "file:///etc/passwd"}, "the scheme file is not http or https"),
        ({"IMPORTER_ENDPOINT": "/etc/passwd"}, "the scheme (none) is not http or https"),
        ({"IMPORTER_SOURCE": "s3", "IMPORTER_ENDPOINT": "file:///etc/passwd"}, "an S3 object is s3://bucket/key or"),
    ],
    ids=["blank-archive", "unknown-source", "bad-preallocation", "bad-size", "bad-overhead", "file", "path", "s3-file"],
)  # fmt: skip
def test_what_cannot_work_is_refused_with_a_reason(variables: dict[str, str], said: str, tmp_path: Path) -> None:
    pod = Pod(tmp_path, **variables)
    assert pod.status == 1
    assert said in pod.message
    assert pod.message.startswith(("Unable to ", "Unknown data source: "))


def test_secret_headers_are_read_from_files_and_never_logged(server: FaultServer, tmp_path: Path) -> None:
    secrets = tmp_path / "headers" / "0"
    secrets.mkdir(parents=True)
    (secrets / "token").write_text("x-token: hush\n")
    (secrets / "..data").write_text("x-hidden: no\n")
    url = server.add("/disk.img", Route(body=DATA, requires=("x-token", "hush")))
    pod = Pod(tmp_path, IMPORTER_ENDPOINT=url, CDI_SECRET_HEADER_DIR=str(tmp_path / "headers"))
    assert pod.status == 0, pod.log
    assert "hush" not in pod.log + pod.message
    assert "x-hidden" not in server.requests[0].headers


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_process_1_of_a_container_in_no_success(
    number: signal.Signals, server: FaultServer, tmp_path: Path
) -> None:
    """The kernel gives process 1 no default action: without a handler SIGTERM would do nothing for 30 s."""
    url = server.add("/disk.img", Route(body=DATA, stall_at={1: 1000, 2: 1000, 3: 1000}))
    environment = {
        **ENVIRONMENT,
        "CDI_TARGET": str(tmp_path / "disk.img"),
        "CDI_TERMINATION_LOG": str(tmp_path / "termination-log"),
        "IMPORTER_ENDPOINT": url,
    }
    command = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-m", "importer.pod"]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as container:
        server.wait_for_bytes(1000)
        (worker,) = Path(f"/proc/{container.pid}/task/{container.pid}/children").read_text().split()
        os.kill(int(worker), number)
        container.communicate(timeout=20)
    assert container.returncode == 8
    log = tmp_path / "termination-log"
    assert not log.exists() or "Import Complete" not in log.read_text()
    assert not (tmp_path / "disk.img").exists()


def test_the_worker_stops_when_its_parent_is_gone(server: FaultServer, tmp_path: Path) -> None:
    url = server.add("/disk.img", Route(body=DATA, stall_at={1: 1000, 2: 1000, 3: 1000}))
    environment = {
        **ENVIRONMENT,
        "CDI_TARGET": str(tmp_path / "disk.img"),
        "CDI_TERMINATION_LOG": str(tmp_path / "termination-log"),
        "CDI_PARENT_PIPE": "1",
        "IMPORTER_ENDPOINT": url,
    }
    worker = subprocess.Popen(
        [sys.executable, "-m", "importer.pod"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL
    )
    server.wait_for_bytes(1000)
    assert worker.stdin is not None
    worker.stdin.close()
    assert worker.wait(timeout=10) == 8
