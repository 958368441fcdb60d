"""Sending in a session, to a server of the protocol that cuts, forgets and refuses."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.sessionserver import SessionServer

from cdi.base.faults import Fault
from cdi.cli.sending import session as module
from cdi.cli.sending.content import WholeFile
from cdi.cli.sending.kept import Kept
from cdi.cli.sending.plain import PlainUpload
from cdi.cli.sending.session import SessionUpload
from importer.cancel import Cancel
from importer.progress import Progress
from importer.sources import SourceSpec
from importer.sources.file import FileSource

MIB = 1 << 20
TOKEN = "Bearer t0ken"


class Tokens:
    def __init__(self) -> None:
        self.refusals = 0

    def token(self) -> str:
        return f"t0ken{'!' * self.refusals}"

    def refused(self) -> None:
        self.refusals += 1


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SessionServer]:
    with SessionServer(tmp_path_factory.mktemp("server")) as made:
        yield made


@pytest.fixture
def server(shared: SessionServer) -> SessionServer:
    shared.conduct = type(shared.conduct)()
    shared.sessions.clear()
    shared.received = 0
    for past in (shared.asked, shared.plain):
        past.clear()
    shared.tokens.clear()
    return shared


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "disk.qcow2"
    path.write_bytes(random.Random(5).randbytes(5 * MIB + 321))
    return path


@pytest.fixture(autouse=True)
def small_requests(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_SMALLEST", 1 << 16)


def sent(server: SessionServer, file: Path, kept: Kept, way: str = "here", cancel: Cancel | None = None) -> Progress:
    source, progress = FileSource(SourceSpec(url=str(file))), Progress()
    peer = server.peer()
    try:
        upload = SessionUpload(peer, way, Tokens(), kept, MIB)
        upload.send(WholeFile(source, source.probe()), progress, Cancel() if cancel is None else cancel)
    finally:
        peer.close()
        source.close()
    return progress


def whole(server: SessionServer) -> list[bytes]:
    return [bytes(session.data) for session in server.sessions.values()]


def test_a_file_arrives_in_requests_that_proxies_take(server: SessionServer, file: Path, tmp_path: Path) -> None:
    progress = sent(server, file, Kept(tmp_path / "state", "u"))
    assert whole(server) == [file.read_bytes()]
    assert server.tokens == {TOKEN}
    assert len([line for line in server.asked if line.startswith("PATCH")]) == 6
    assert progress.bytes_fetched == file.stat().st_size
    assert list((tmp_path / "state").iterdir()) == []


def test_after_cuts_only_what_is_missing_is_sent(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.cuts = [300_000, 1, 999_999, 20_000]
    progress = sent(server, file, Kept(tmp_path, "u"))
    assert whole(server) == [file.read_bytes()]
    assert server.received == file.stat().st_size
    assert progress.bytes_fetched == file.stat().st_size


def test_a_limit_of_a_proxy_is_found(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.largest = 300_000
    sent(server, file, Kept(tmp_path, "u"))
    assert whole(server) == [file.read_bytes()]


def interrupted(server: SessionServer, file: Path, kept: Kept) -> None:
    """As Ctrl-C does it, after a MiB or more."""
    cancel = Cancel()

    def look() -> None:
        while not any(len(taken.data) > MIB for taken in list(server.sessions.values())):
            threading.Event().wait(0.001)
        cancel.request()

    # It stays away after that, so that not all of it arrives before the request to stop does.
    server.conduct.cuts = [MIB, MIB // 2] + [1] * 1000
    watcher = threading.Thread(target=look)
    watcher.start()
    with pytest.raises(Fault, match="Cancelled"):
        sent(server, file, kept, cancel=cancel)
    watcher.join(30)
    server.conduct.cuts = []


def test_another_process_goes_on(server: SessionServer, file: Path, tmp_path: Path) -> None:
    kept = Kept(tmp_path / "state", "u")
    interrupted(server, file, kept)
    assert kept.load() is not None
    sent(server, file, kept)
    assert whole(server) == [file.read_bytes()]
    assert server.received == file.stat().st_size


@pytest.mark.parametrize("change", ["file", "way", "claim"])
def test_another_file_way_or_claim_begins_anew(server: SessionServer, file: Path, tmp_path: Path, change: str) -> None:
    kept = Kept(tmp_path / "state", "u")
    interrupted(server, file, kept)
    if change == "file":
        file.write_bytes(random.Random(6).randbytes(5 * MIB + 321))
    sent(server, file, Kept(kept.directory, "v") if change == "claim" else kept, "there" if change == "way" else "here")
    assert len(server.sessions) == 2
    assert whole(server)[1] == file.read_bytes()


def test_a_session_that_is_lost_is_begun_anew(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.cuts = [2 * MIB]
    server.conduct.forgets = 1
    sent(server, file, Kept(tmp_path, "u"))
    assert whole(server) == [file.read_bytes()]


def test_an_end_that_was_not_heard_of_is_left_to_the_datavolume(
    server: SessionServer, file: Path, tmp_path: Path
) -> None:
    class Ending(list[int]):
        """The last answer is lost, and the session with it."""

        def pop(self, index: int = -1) -> int:  # type: ignore[override]
            (taken,) = server.sessions.values()
            if taken.length - len(taken.data) <= MIB:
                server.conduct.forgets = 1
                return taken.length - len(taken.data)
            self.append(0)
            return 1 << 40

    server.conduct.cuts = Ending([0])
    sent(server, file, Kept(tmp_path, "u"))
    assert server.received == file.stat().st_size


def test_what_is_refused_is_told_in_the_servers_words(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.early = [(400, "Saving stream failed: [ImageEncrypted] it is encrypted.")]
    with pytest.raises(Fault, match="ImageEncrypted") as caught:
        sent(server, file, Kept(tmp_path, "u"))
    assert caught.value.code == "UploadRefused"


def test_a_token_that_is_too_old_is_replaced_once(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.early = [(401, "[UploadTokenRefused] the token has expired")]
    sent(server, file, Kept(tmp_path, "u"))
    assert whole(server) == [file.read_bytes()]
    assert server.tokens == {TOKEN, f"{TOKEN}!"}
    server.conduct.early = [(401, "[UploadTokenRefused] the token has expired")] * 2
    with pytest.raises(Fault, match="UploadTokenRefused") as caught:
        sent(server, file, Kept(tmp_path, "u"))
    assert caught.value.code == "UploadRefused"


def test_what_lasts_is_not_tried_again(server: SessionServer, file: Path, tmp_path: Path) -> None:
    server.conduct.early = [(503, "[UploadFinished] it is filled.")]
    with pytest.raises(Fault, match="UploadFinished"):
        sent(server, file, Kept(tmp_path, "u"))
    assert len(server.asked) == 1


def test_a_session_that_has_failed_is_ended_and_another_one_begun(
    server: SessionServer, file: Path, tmp_path: Path
) -> None:
    kept = Kept(tmp_path / "state", "u")
    interrupted(server, file, kept)
    server.asked.clear()
    server.conduct.early = [(400, "")]
    sent(server, file, kept)
    assert [line.partition(" ")[0] for line in server.asked[:3]] == ["HEAD", "DELETE", "POST"]
    assert whole(server) == [file.read_bytes()]


def test_a_server_that_stays_away_is_given_up_with_what_to_do(
    server: SessionServer, file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Cancel, "sleep", lambda self, seconds: None)
    server.conduct.early = [(503, "not now")] * 100
    with pytest.raises(Fault, match="not now") as caught:
        sent(server, file, Kept(tmp_path, "u"))
    assert caught.value.code == "UploadPaused"
    assert "run the same command again" in caught.value.remedy


def test_whether_sessions_are_served_is_seen(server: SessionServer, tmp_path: Path) -> None:
    peer = server.peer()
    upload = SessionUpload(peer, "here", Tokens(), Kept(tmp_path, "u"))
    assert upload.is_served()
    server.conduct.knows_sessions = False
    assert not upload.is_served()
    peer.close()


def test_somebody_elses_certificate_gets_no_token(server: SessionServer, tmp_path: Path) -> None:
    peer = server.peer("cdi-upload-disk.others.svc")
    with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
        SessionUpload(peer, "here", Tokens(), Kept(tmp_path, "u")).is_served()
    peer.close()
    assert server.asked == []


def test_without_sessions_a_file_is_sent_in_one_request(server: SessionServer, file: Path) -> None:
    source, progress = FileSource(SourceSpec(url=str(file))), Progress()
    peer = server.peer()
    PlainUpload(peer, "t0ken").send(WholeFile(source, source.probe()), progress, Cancel(), archive=False)
    assert server.plain == [file.read_bytes()]
    assert server.asked == ["HEAD /v1beta1/upload-async", "POST /v1beta1/upload-async"]
    server.conduct.early = [(200, ""), (400, "Saving stream failed: no disk")]
    with pytest.raises(Fault, match="no disk"):
        PlainUpload(peer, "t0ken").send(WholeFile(source, source.probe()), progress, Cancel(), archive=False)
    peer.close()
    source.close()
