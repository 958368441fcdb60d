"""The upload server over real TLS: what is answered, what stands on the disk then, and that the slot is free again."""

from __future__ import annotations

import contextlib
import gzip
import io
import lzma
import random
import socket
import ssl
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import zstandard
from support.images import run, write_disk
from support.uploading import CLIENT, LOOPBACK, Trust, UploadServer, chunked, cut, form_of, head_of, in_the_past

from cdi.base.faults import Fault
from cdi.base.wire.clone import claim_uri
from cdi.base.wire.termination import Termination
from importer.sinks.file import FileSink
from uploadproxy.server import channel, connection

MiB = 1024 * 1024
DISK = random.Random(5).randbytes(700_000) + bytes(400_000) + random.Random(6).randbytes(300_320)
LENGTH = f"Content-Length: {len(DISK)}"
FORM = "Content-Type: multipart/form-data; boundary=b0undary"
UPLOADS = ["/v1beta1/upload", "/v1beta1/upload-async", "/v1alpha1/upload", "/v1alpha1/upload-async"]
FORMS = ["/v1beta1/upload-form", "/v1beta1/upload-form-async"]


@pytest.fixture(scope="module")
def trust(tmp_path_factory: pytest.TempPathFactory) -> Trust:
    return Trust(tmp_path_factory.mktemp("trust"))


@pytest.fixture
def server(disk: Path, trust: Trust) -> Iterator[UploadServer]:
    with UploadServer(disk, trust, UPLOAD_IMAGE_SIZE="8Mi") as server:
        yield server


def nothing_is_left(disk: Path) -> bool:
    return list(disk.parent.iterdir()) == []


def takes_an_upload(server: UploadServer, disk: Path) -> bool:
    """The slot is free, and the volume fit to be written."""
    return server.post("/v1beta1/upload", DISK).status == 200 and disk.read_bytes()[: len(DISK)] == DISK


# --- what is uploaded is on the disk ----------------------------------------------------------------------------


@pytest.mark.parametrize("path", UPLOADS)
def test_what_is_sent_is_the_disk_and_the_server_ends(server: UploadServer, disk: Path, path: str) -> None:
    said = server.post(path, DISK)
    assert (said.status, said.text) == (200, "")
    assert server.ended() == Termination("Upload Complete", False, bytes_done=len(DISK))
    assert disk.read_bytes() == DISK.ljust(8 * MiB, b"\0")
    assert disk.stat().st_mode & 0o777 == 0o660
    assert server.progress.snapshot().percent == 100.0


@pytest.mark.parametrize("path", FORMS)
def test_the_file_of_a_form_is_the_disk(server: UploadServer, disk: Path, path: str) -> None:
    other = b'--b0undary\r\nContent-Disposition: form-data; name="note"\r\n\r\nx\r\n'
    assert server.post(path, form_of(DISK, before=other), FORM).status == 200
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(DISK)] == DISK


@pytest.mark.parametrize("kind", ["qcow2", "qcow2 packed", "vmdk", "gz", "xz", "zst"])
def test_formats_and_packings_are_read_as_they_come(
    server: UploadServer, disk: Path, kind: str, tmp_path: Path
) -> None:
    raw, image = tmp_path / "raw", tmp_path / "image"
    write_disk(raw, 6 * MiB)
    plain = raw.read_bytes()
    match kind:
        case "gz" | "xz" | "zst":
            packed = {"gz": gzip.compress, "xz": lzma.compress, "zst": zstandard.ZstdCompressor().compress}[kind](plain)
        case _:
            packing = ["-c"] if kind == "qcow2 packed" else []
            run("qemu-img", "convert", "-f", "raw", "-O", kind.split(maxsplit=1)[0], *packing, raw, image)
            packed = image.read_bytes()
    assert server.post("/v1beta1/upload-async", packed).status == 200
    assert isinstance(server.ended(), Termination)
    assert disk.read_bytes()[: len(plain)] == plain


@pytest.mark.parametrize("packing", ["", "gz", "xz"])
def test_an_archive_is_unpacked_into_the_volume(trust: Trust, tmp_path: Path, packing: str) -> None:
    volume, packed = tmp_path / "volume", io.BytesIO()
    volume.mkdir()
    with tarfile.open(fileobj=packed, mode=f"w:{packing}") as archive:
        for name in ("./", "./a", "b/c"):
            entry = tarfile.TarInfo(name)
            entry.type, entry.mode = (tarfile.DIRTYPE if name == "./" else tarfile.REGTYPE), 0o755
            entry.size = 0 if name == "./" else len(DISK)
            archive.addfile(entry, io.BytesIO(DISK))
    with UploadServer(volume, trust) as server:
        assert server.post("/v1beta1/upload-archive", packed.getvalue()).status == 200
        assert isinstance(server.ended(), Termination)
    assert (volume / "a").read_bytes() == (volume / "b" / "c").read_bytes() == DISK


def test_chunks_of_any_size_are_put_together(server: UploadServer, disk: Path) -> None:
    chance, pieces, at = random.Random(1), [], 0
    while at < len(DISK):
        pieces.append(DISK[at : at + chance.choice((1, 100, 9_000, 70_000))])
        at += len(pieces[-1])
    with server.client() as client:
        client.send(head_of("/v1beta1/upload", "Transfer-Encoding: chunked"), chunked(pieces))
        assert client.heard().status == 200
    assert disk.read_bytes()[: len(DISK)] == DISK


# --- as real clients do it --------------------------------------------------------------------------------------


def test_virtctl_asks_for_the_asynchronous_way_and_sends_over_the_same_connection(
    server: UploadServer, disk: Path
) -> None:
    with server.client() as client:
        client.send(head_of("/v1beta1/upload-async", "User-Agent: Go-http-client/1.1", method="HEAD"))
        assert client.heard(head=True).status == 200
        headers = ["Content-Type: application/octet-stream", "Accept-Encoding: gzip"]
        client.send(head_of("/v1beta1/upload-async", f"Content-Length: {len(DISK)}", *headers), DISK)
        assert client.heard().status == 200
        assert client.is_closed()
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_curl_sends_a_file_a_form_and_what_comes_from_a_pipe(trust: Trust, tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(DISK * 3)  # more than 1 MiB: curl waits to be told to go on
    ways = [["-T", str(image)], ["-X", "POST", "-T", "-"], ["-F", f"file=@{image}", "-F", "other=text"]]
    for number, way in enumerate(ways):
        disk = tmp_path / f"disk{number}"
        with UploadServer(disk, trust) as server:
            path = "/v1beta1/upload-form" if "-F" in way else "/v1beta1/upload"
            command = [*trust.curl(trust.client), *way, "-w", "%{http_code}", f"https://localhost:{server.port}{path}"]
            done = subprocess.run(command, input=DISK * 3, capture_output=True, timeout=60)
            assert (done.stdout, done.stderr, done.returncode) == (b"200", b"", 0)
        assert disk.read_bytes() == DISK * 3


def test_who_waits_to_be_told_is_told_to_go_on_only_when_the_upload_may_begin(server: UploadServer, disk: Path) -> None:
    waiting = head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}", "Expect: 100-continue")
    with server.client(server.trust.stranger) as client:
        client.send(waiting)
        assert client.heard().status == 401
    with server.client() as client:
        client.send(waiting)
        assert client.heard().status == 100
        client.send(DISK)
        assert client.heard().status == 200
    assert disk.read_bytes()[: len(DISK)] == DISK


# --- who may do what --------------------------------------------------------------------------------------------


def test_probes_and_questions_need_no_certificate(server: UploadServer) -> None:
    with server.anonymous() as client:
        for _ in range(3):
            client.send(head_of("/healthz", method="GET"))
            said = client.heard()
            assert (said.status, said.text) == (200, "OK")
        for path in ("/v1beta1/upload-async", "/v1beta1/upload-form-async", "/v1alpha1/upload-async"):
            client.send(head_of(path, method="HEAD"))
            assert client.heard(head=True).status == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("HEAD", "/v1beta1/upload"),
        ("HEAD", "/v1beta1/upload-archive"),
        ("GET", "/v1beta1/upload-async"),
        ("DELETE", "/v1beta1/upload"),
        ("POST", "/v1beta1/upload-archive-async"),
        ("POST", "/v2/upload"),
        ("POST", "/healthz"),
        ("GET", "/"),
    ],
)
def test_other_methods_and_paths_are_not_found(server: UploadServer, method: str, path: str) -> None:
    with server.anonymous() as client:
        client.send(head_of(path, method=method))
        assert client.heard(head=method == "HEAD").status == 404


@pytest.mark.parametrize("who", ["nobody", "stranger"])
def test_only_the_client_of_that_name_may_upload(server: UploadServer, disk: Path, who: str) -> None:
    client = server.anonymous() if who == "nobody" else server.client(server.trust.stranger)
    with client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}"), DISK)
        said = client.heard()
        assert said.status == 401
        assert CLIENT in said.text
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


@pytest.mark.parametrize("kind", ["filesystem-clone", "blockdevice-clone"])
def test_the_stream_of_another_versions_clone_pod_is_no_disk(server: UploadServer, disk: Path, kind: str) -> None:
    said = server.post("/v1beta1/upload", DISK, f"x-cdi-content-type: {kind}")
    assert said.status == 415
    assert "clone pod" in said.text
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


def test_only_the_client_with_the_uri_of_the_claim_may_clone_into_it(trust: Trust, disk: Path) -> None:
    """Another pair of claims may have the same name."""
    mine, other = (trust.clients.issue(CLIENT, f"URI:{claim_uri(uid)}") for uid in ("mine", "other"))
    with UploadServer(disk, trust, CDI_CLIENT_URI=claim_uri("mine")) as server:
        for pair, status in ((trust.client, 401), (other, 401), (mine, 200)):
            with server.client(pair) as client:
                client.send(head_of("/v1beta1/upload", LENGTH), DISK)
                assert client.heard().status == status
    assert disk.read_bytes() == DISK


def test_a_certificate_of_another_authority_is_refused_before_anything_is_said(server: UploadServer) -> None:
    def ask() -> None:
        with server.client(server.trust.forger) as client:
            client.send(head_of("/healthz", method="GET"))
            client.heard()  # TLS 1.3 tells with the first read

    with pytest.raises((ssl.SSLError, ConnectionError)):
        ask()


def test_the_terms_of_tls_are_those_of_the_environment(disk: Path, trust: Trust) -> None:
    suites = "TLS_AES_128_GCM_SHA256,ECDHE-ECDSA-AES256-GCM-SHA384"
    with UploadServer(disk, trust, TLS_CIPHERS=suites) as server:
        with server.client(maximum_version=ssl.TLSVersion.TLSv1_2) as client:
            assert client.socket.cipher()[:2] == ("ECDHE-ECDSA-AES256-GCM-SHA384", "TLSv1.2")  # type: ignore[index]
        with server.client() as client:
            assert client.socket.version() == "TLSv1.3"
    with UploadServer(disk, trust, TLS_MIN_VERSION="VersionTLS13") as server, pytest.raises(ssl.SSLError):
        server.client(maximum_version=ssl.TLSVersion.TLSv1_2)


# --- one at a time ----------------------------------------------------------------------------------------------


def test_a_second_writer_is_told_to_wait_and_the_first_one_goes_on(server: UploadServer, disk: Path) -> None:
    with server.client() as first:
        first.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}", "Expect: 100-continue"))
        assert first.heard().status == 100
        second = server.post("/v1beta1/upload", b"x" * 3_000_000)  # all of it is sent before the answer is read
        assert (second.status, "Another upload is running" in second.text) == (503, True)
        first.send(DISK)
        assert first.heard().status == 200
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_after_a_success_there_is_no_other_upload(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told, may_end = threading.Event(), threading.Event()
    monkeypatch.setattr("uploadproxy.server.slot.Slot.end", _held_back(told, may_end))
    first = threading.Thread(target=server.post, args=("/v1beta1/upload", DISK))
    first.start()
    assert told.wait(30)
    assert server.post("/v1beta1/upload", DISK).status == 409
    may_end.set()
    first.join()


def _held_back(told: threading.Event, may_end: threading.Event) -> object:
    from uploadproxy.server.slot import Slot

    end = Slot.end

    def held(self: Slot, outcome: Termination | Fault) -> None:
        told.set()
        may_end.wait(30)
        end(self, outcome)

    return held


# --- what goes wrong is answered, and the slot is free again -----------------------------------------------------

CUT = gzip.compress(DISK)[:-500]
BAD = {
    "an image that does not fit": (
        b"x" * (9 * MiB),
        400,
        "[TargetTooSmall]",
    ),
    "what is no disk": (b"<!DOCTYPE html><html>not found</html>".ljust(5000), 400, "[NotADiskImage]"),
    "nothing": (b"", 400, "[SourceEmpty]"),
    "what was packed and cut": (CUT, 400, "[CompressedTruncated]"),
    "what unpacks to more than the volume": (gzip.compress(bytes(9 * MiB)), 400, "larger than the reported available"),
}


@pytest.mark.parametrize("path", ["/v1beta1/upload", "/v1beta1/upload-async"])
@pytest.mark.parametrize("kind", BAD)
def test_what_cannot_be_a_disk_here_is_told_on_either_way(
    server: UploadServer, disk: Path, kind: str, path: str
) -> None:
    data, status, words = BAD[kind]
    for _ in range(3):  # and is no verdict on what comes next
        said = server.post(path, data)
        assert (said.status, said.text[:22]) == (status, "Saving stream failed: ")
        assert words in said.text
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


def test_what_does_not_fit_is_refused_before_its_bytes_are_taken(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {1 << 40}"), bytes(192 * 1024))
        said = client.heard()
    assert (said.status, "[TargetTooSmall]" in said.text) == (400, True)
    assert takes_an_upload(server, disk)


@pytest.mark.parametrize("at", [0, 100, 2048, 200_000, len(DISK) - 1])
def test_a_stream_that_is_cut_leaves_nothing_and_may_be_sent_again(server: UploadServer, disk: Path, at: int) -> None:
    client = server.client()
    client.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK)}"), DISK[:at])
    cut(client)
    while (said := server.post("/v1beta1/upload", DISK)).status == 503:
        """The server has not seen the cut yet."""
    assert said.status == 200
    assert disk.read_bytes()[: len(DISK)] == DISK


def test_a_body_that_ends_early_is_answered(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {len(DISK) + 5}"), DISK)
        client.socket.shutdown(socket.SHUT_WR)  # its half of the TCP connection; a plain socket reads what comes
        assert wait_until_free(server)
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


def wait_until_free(server: UploadServer) -> bool:
    """An upload that is refused for its content was let into the slot."""
    while (said := server.post("/v1beta1/upload", b"")).status == 503:
        """The server has not seen the end yet."""
    return said.status == 400


def test_a_client_that_sends_next_to_nothing_does_not_hold_the_slot(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched, server.client() as client:
        patched.setattr(channel, "WITHIN_S", 0.5)
        client.send(head_of("/v1beta1/upload", LENGTH), DISK[:10])
        said = client.heard()
    assert (said.status, "[UploadStalled]" in said.text) == (408, True)
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


FORMS_THAT_ARE_NONE = {
    "no form": (b"x" * 1000, FORM),
    "nothing": (b"", FORM),
    "no file in it": (form_of(DISK, field="image"), FORM),
    "cut in the file": (form_of(DISK)[:-40], FORM),
    "of another boundary": (form_of(DISK, boundary="other"), FORM),
    "without a boundary": (form_of(DISK), "Content-Type: multipart/form-data"),
    "not said to be one": (form_of(DISK), "Content-Type: application/octet-stream"),
    "more beside the file than in it": (
        b"".join(form_of(DISK, field="other").replace(b"--b0undary--\r\n", b"") for _ in range(2)) + form_of(DISK),
        FORM,
    ),
}


@pytest.mark.parametrize("kind", FORMS_THAT_ARE_NONE)
def test_a_form_without_a_file_is_an_answer(server: UploadServer, disk: Path, kind: str) -> None:
    data, content_type = FORMS_THAT_ARE_NONE[kind]
    said = server.post("/v1beta1/upload-form", data, content_type)
    assert (said.status, "[UploadMalformed]" in said.text) == (400, True)
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


def chunk(head: bytes) -> bytes:
    return head_of("/v1beta1/upload", "Transfer-Encoding: chunked") + head


NO_REQUESTS = {
    "ten thousand headers": (head_of("/healthz", *(f"A{n}: b" for n in range(10_000))), 431),
    "a header without end": (head_of("/healthz", "A: " + "b" * 100_000), 431),
    "two ends of one body": (head_of("/v1beta1/upload", LENGTH, "Transfer-Encoding: chunked"), 400),
    "two lengths": (head_of("/v1beta1/upload", LENGTH, "Content-Length: 5"), 400),
    "a length with a sign": (head_of("/v1beta1/upload", "Content-Length: +5"), 400),
    "an unknown coding": (head_of("/v1beta1/upload", "Transfer-Encoding: gzip, chunked"), 501),
    "chunks in HTTP/1.0": (b"POST /v1beta1/upload HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    "a space before the colon": (head_of("/v1beta1/upload", "Content-Length : 5"), 400),
    "no host": (b"GET /healthz HTTP/1.1\r\n\r\n", 400),
    "no HTTP": (b"\x00\x01\x02\r\n\r\n", 400),
    "HTTP/2": (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    "a chunk without a size": (chunk(b"zz\r\n"), 400),
    "a negative chunk": (chunk(b"-5\r\nabcde\r\n"), 400),
    "a chunk longer than it said": (chunk(b"5\r\nabcdefg\r\n"), 400),
    "an absurd extension": (chunk(b"5;a=" + b"b" * 100_000), 400),
    "chunks of one byte with long extensions": (chunk((b"1;" + b"e" * 2000 + b"\r\nx\r\n") * 100), 400),
    "a trailer without end": (chunk(b"1\r\nx\r\n0\r\n" + b"A: b\r\n" * 50_000), 400),
}


@pytest.mark.parametrize("kind", NO_REQUESTS)
def test_what_is_no_request_is_answered_and_the_connection_closed(server: UploadServer, disk: Path, kind: str) -> None:
    data, status = NO_REQUESTS[kind]
    with server.client() as client:
        client.send(data)
        said = client.heard()
        assert said.status == status
        assert said.text.endswith(".") and len(said.text) < 1000
        client.socket.shutdown(socket.SHUT_WR)
    assert nothing_is_left(disk)
    assert takes_an_upload(server, disk)


def test_who_reads_the_answer_only_when_all_is_sent_gets_it(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        client.send(head_of("/v1beta1/upload", f"Content-Length: {100 * MiB}"), *[bytes(MiB)] * 100)
        said = client.heard()
        assert said.status == 400
        assert client.is_closed()
    assert takes_an_upload(server, disk)


def test_the_rest_is_thrown_away_only_for_a_while(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connection, "_REST", 5 * MiB)
    with server.client() as client, pytest.raises(OSError, match=r"reset|closed|EOF|Broken|pipe"):
        client.send(head_of("/v1beta1/upload", f"Content-Length: {1 << 40}"), *[bytes(MiB)] * 200)
    assert takes_an_upload(server, disk)


def test_a_handshake_that_is_cut_or_none_harms_nobody(server: UploadServer, disk: Path) -> None:
    for said in (
        b"",
        b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ):
        with socket.create_connection((LOOPBACK, server.port), 30) as plain:
            plain.sendall(said)
    assert takes_an_upload(server, disk)


def test_clients_that_say_nothing_make_room_for_one_that_does(server: UploadServer, disk: Path) -> None:
    silent = [socket.create_connection((LOOPBACK, server.port), 30) for _ in range(100)]
    assert takes_an_upload(server, disk)
    for one in silent:
        one.close()


def test_clients_that_ask_and_read_nothing_make_room_too(server: UploadServer, disk: Path) -> None:
    """Each answer that is not read would hold the place of its connection for a second."""
    deaf = [server.anonymous() for _ in range(20)]
    for one in deaf:
        one.socket.settimeout(0.2)
        with contextlib.suppress(OSError):
            while True:
                one.socket.sendall(b"GET /nothing HTTP/1.1\r\nHost: u\r\n\r\n" * 200)
    assert takes_an_upload(server, disk)
    for one in deaf:
        one.socket.close()


# --- how the work ends ------------------------------------------------------------------------------------------


def test_a_failure_after_the_answer_is_the_outcome(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: FileSink) -> None:
        raise Fault("NoSpace", target=self.name, offset=0, cause="it is full")

    monkeypatch.setattr(FileSink, "publish", full)
    assert server.post("/v1beta1/upload-async", DISK).status == 200
    outcome = server.ended()
    assert isinstance(outcome, Fault) and outcome.code == "NoSpace"
    assert nothing_is_left(disk)


def test_the_same_failure_before_the_answer_is_the_answer(
    server: UploadServer, disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(self: FileSink) -> None:
        raise Fault("NoSpace", target=self.name, offset=0, cause="it is full")

    with monkeypatch.context() as patched:
        patched.setattr(FileSink, "publish", full)
        said = server.post("/v1beta1/upload", DISK)
    assert (said.status, "effective image size is larger than the reported available storage" in said.text) == (
        400,
        True,
    )
    assert takes_an_upload(server, disk)


def test_the_deadline_ends_a_server_to_which_nothing_came(disk: Path, trust: Trust) -> None:
    with UploadServer(disk, trust, DEADLINE=in_the_past()) as server:
        assert server.ended() == Termination("Deadline Passed", deadline_passed=True)


def test_a_stop_ends_the_upload_that_runs_and_leaves_nothing(server: UploadServer, disk: Path) -> None:
    with server.client() as client:
        client.send(head_of("/v1beta1/upload", LENGTH, "Expect: 100-continue"))
        assert client.heard().status == 100
        client.send(DISK[:300_000])
        while nothing_is_left(disk):
            """Until the server writes."""
        server.stop()
        assert client.heard().status == 503
    assert isinstance(server.outcome, Fault) and server.outcome.code in ("Cancelled", "CancelledUnkept")
    assert nothing_is_left(disk)
