"""Sessions of an upload server, as a client of tus 1.0 speaks to it, byte for byte."""

from __future__ import annotations

import base64
import datetime
from dataclasses import dataclass, field

from support.uploading import Client, Said, head_of

from cdi.base.upload_permits import UploadPermit
from cdi.base.wire.extents.encoder import Encoder
from cdi.base.wire.upload import Claim
from cdi.trust.signatures import private_key
from cdi.trust.tokens import KeyPair, key_pair
from cdi.trust.upload_tokens import upload_token

SESSIONS = "/v1beta1/upload/sessions"
TUS = "Tus-Resumable: 1.0.0"
BYTES = "Content-Type: application/offset+octet-stream"


@dataclass(frozen=True)
class Holder:
    """A claim, and the key of its tokens."""

    claim: tuple[str, str, str] = ("team", "disk", "0e1f")
    keys: KeyPair = field(default_factory=key_pair)

    def variables(self, *, archive: bool = False) -> dict[str, str]:
        return Claim(*self.claim, self.keys.public.decode(), archive).encode()

    def token(self, *, name: str = "", uid: str = "", keys: KeyPair | None = None, age_s: float = 0.0) -> str:
        made = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=age_s)
        permit = UploadPermit(self.claim[0], name or self.claim[1], uid or self.claim[2])
        return upload_token(permit, private_key((keys or self.keys).private), made)


def asked(client: Client, method: str, path: str, *headers: str) -> Said:
    client.send(head_of(path, TUS, *headers, method=method))
    return client.heard(head=method == "HEAD")


def opened(client: Client, length: int | None, *headers: str) -> str:
    """The path of a new session."""
    size = "Upload-Defer-Length: 1" if length is None else f"Upload-Length: {length}"
    said = asked(client, "POST", SESSIONS, size, "Content-Length: 0", *headers)
    assert said.status == 201, said
    return said.headers["location"]


def metadata(**pairs: str) -> str:
    told = ",".join(f"{key} {base64.b64encode(value.encode()).decode()}" for key, value in pairs.items())
    return f"Upload-Metadata: {told}"


def patch_head(path: str, offset: int, length: int, *headers: str) -> bytes:
    announced = [f"Content-Length: {length}", f"Upload-Offset: {offset}"]
    return head_of(path, TUS, BYTES, *announced, *headers, method="PATCH")


def patched(client: Client, path: str, offset: int, data: bytes, *headers: str) -> Said:
    client.send(patch_head(path, offset, len(data), *headers), data)
    return client.heard()


def offset_of(client: Client, path: str) -> int:
    said = asked(client, "HEAD", path)
    assert said.status == 200, said
    return int(said.headers["upload-offset"])


def sparse_of(data: bytes, step: int = 65536) -> bytes:
    """Without what is zero."""
    encoder = Encoder(len(data))
    found = [encoder.head()]
    for offset in range(0, len(data), step):
        piece = data[offset : offset + step]
        if any(piece):
            found += [bytes(part) for part in encoder.extent(offset, memoryview(piece))]
    return b"".join([*found, encoder.end()])
