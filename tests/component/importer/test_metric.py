"""The progress metric as the contract's controller scrapes it, and what a scraper cannot do to an import."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.faultserver import FaultServer, Route
from support.importing import ENVIRONMENT
from support.ports import free_port, wait_for_port

from importer.metric import serve
from importer.progress import Progress, Stage
from importer.worker import IMPORT_METRIC as IMPORT

MiB = 1024 * 1024
UID = "6f1d6f6e-5b7b-4c7e-9a55-2f4d0c6f8a11"


def scrape(port: int, path: str = "/metrics") -> tuple[int, str]:
    """Verifies nothing, as the contract's scraper does."""
    context = ssl._create_unverified_context()
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=10, context=context)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


def percent_in(text: str) -> float:
    found = re.search(rf'{IMPORT}{{ownerUID="{UID}"}} (\d{{1,3}}\.?\d*)', text)
    assert found is not None, text
    return float(found[1])


@pytest.fixture
def worker(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A pod's worker that has half of its file and waits for the rest, and the port of its metric."""
    body, port = os.urandom(8 * MiB), free_port()
    with FaultServer() as server:
        url = server.add("/disk.img", Route(body=body, ranges=False, stall_at={1: 4 * MiB}))
        variables = {
            "CDI_TARGET": str(tmp_path / "disk.img"),
            "CDI_TERMINATION_LOG": str(tmp_path / "termination-log"),
            "CDI_METRIC_ADDRESS": f"127.0.0.1:{port}",
            "OWNER_UID": UID,
            "IMPORTER_ENDPOINT": url,
        }
        command = [sys.executable, "-m", "importer.pod"]
        with (tmp_path / "log").open("wb") as log:
            process = subprocess.Popen(command, env=ENVIRONMENT | variables, stdout=subprocess.DEVNULL, stderr=log)
        try:
            wait_for_port(port, process, tmp_path / "log")
            server.wait_for_bytes(4 * MiB)
            yield process, port
        finally:
            process.kill()
            process.wait()


def test_a_worker_in_a_pod_tells_how_far_it_is(worker: tuple[subprocess.Popen[bytes], int], tmp_path: Path) -> None:
    process, port = worker
    status, text = scrape(port)
    assert (status, 0 <= percent_in(text) <= 50) == (200, True)
    status, text = scrape(port, "/any/other/path")
    assert (status, 0 <= percent_in(text) <= 50) == (200, True)
    process.send_signal(signal.SIGTERM)
    assert process.wait(10) != 0
    assert not (tmp_path / "disk.img").exists()


def test_the_certificate_has_the_contracts_name_and_is_new_each_time() -> None:
    seen = set()
    for _ in range(2):
        port = free_port()
        with serve(IMPORT, Progress(), UID, ("127.0.0.1", port)):
            seen.add(ssl.get_server_certificate(("127.0.0.1", port)))
    assert len(seen) == 2
    show = ["openssl", "x509", "-noout", "-subject", "-nameopt", "RFC2253"]
    for certificate in seen:
        assert subprocess.run(show, input=certificate, capture_output=True, text=True).stdout == (
            "subject=CN=cloner_target\n"
        )


def test_a_client_that_says_nothing_or_nonsense_does_no_harm() -> None:
    progress, port = Progress(), free_port()
    with serve(IMPORT, progress, UID, ("127.0.0.1", port)), socket.create_connection(("127.0.0.1", port)):
        with socket.create_connection(("127.0.0.1", port)) as rude:
            rude.sendall(b"GET / HTTP/1.0\r\n\r\n")
        progress.enter(Stage.DONE)
        assert percent_in(scrape(port)[1]) == 100.0


def test_a_port_that_is_taken_is_a_warning(caplog: pytest.LogCaptureFixture) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with serve(IMPORT, Progress(), UID, ("127.0.0.1", port)):
            pass
    assert f"the progress metric is not served on port {port}" in caplog.text
