"""Requests to the upload server that somebody has damaged: each is answered, and the volume is whole or untouched."""

from __future__ import annotations

import gzip
import random
from dataclasses import dataclass
from pathlib import Path

from support.fuzzing import chances, mutated
from support.saying import Saying
from support.uploading import CLIENT, chunked, form_of, head_of

from cdi.base.wire.termination import Termination
from importer.progress import Progress
from importer.target import Target
from uploadproxy.server.attempt import Volume
from uploadproxy.server.clone import Clones
from uploadproxy.server.connection import Connection, Service
from uploadproxy.server.session import Place
from uploadproxy.server.sessions import Sessions
from uploadproxy.server.slot import Slot, Take

DISK = random.Random(1).randbytes(40_960) + bytes(24_576)
_FORM = "Content-Type: multipart/form-data; boundary=b0undary"


@dataclass(frozen=True)
class Sent:
    head: bytes
    body: bytes


def drawn(chance: random.Random) -> Sent:
    """A sound request, of any way to send a disk."""
    data = DISK if chance.random() < 0.6 else gzip.compress(DISK, 1)
    path, headers = chance.choice(("/v1beta1/upload", "/v1beta1/upload-async", "/v1alpha1/upload")), []
    if chance.random() < 0.5:
        path, data = "/v1beta1/upload-form", form_of(data, before=b"" if chance.random() < 0.5 else b"preamble\r\n")
        headers.append(_FORM)
    if chance.random() < 0.5:
        pieces = [data[at : at + 10_000] for at in range(0, len(data), 10_000)]
        return Sent(head_of(path, "Transfer-Encoding: chunked", *headers), chunked(pieces))
    return Sent(head_of(path, f"Content-Length: {len(data)}", *headers), data)


def test_a_damaged_request_is_answered_and_the_volume_is_whole_or_untouched(tmp_path: Path) -> None:
    whole = 0
    for number, chance in chances():
        sent = drawn(chance)
        match chance.randrange(3):
            case 0:
                data = mutated(sent.head, chance) + sent.body
            case 1:
                data = sent.head + mutated(sent.body, chance)
            case _:
                data = sent.head + sent.body
        whole += judge(number, data, chance.choice((1 << 20, 16_384, 997)), tmp_path / "disk.img")
    assert whole


def judge(number: int, data: bytes, step: int, disk: Path) -> bool:
    """Whether a disk was made."""
    disk.unlink(missing_ok=True)
    slot = Slot()
    volume = Volume(lambda archive: Target.at_path(disk, size=1 << 20, overwrite=True, archive=archive), False)
    client = Saying(data, step, name=CLIENT)
    progress = Progress()
    sessions = Sessions(Place(volume, slot, progress, archive=False, ends=0), None)
    try:
        service = Service(slot, volume, progress, sessions, Clones(volume, slot, progress), CLIENT)
        Connection(client, service).attend()
    except ConnectionError:
        """The client has gone: what it sent breaks off."""
    answers = client.heard.count(b"HTTP/1.1 ")
    made = disk.exists()
    assert [path.name for path in disk.parent.iterdir()] == ["disk.img"] * made, f"FUZZ_CASE={number}"
    assert (b"HTTP/1.1 200 OK" in client.heard) >= made, f"FUZZ_CASE={number}"
    if made:
        assert isinstance(slot.wait(0), Termination), f"FUZZ_CASE={number}"
        assert answers >= 1
    else:
        assert slot.take(lambda: None) is Take.TAKEN, f"FUZZ_CASE={number}"
    return made
