"""An upload in one request, as every upload proxy takes it. What breaks off begins again."""

from __future__ import annotations

import http.client
from collections.abc import Iterator
from dataclasses import dataclass

from cdi.base.faults import Fault
from cdi.cli.sending.content import Content
from cdi.cli.sending.peer import Body, Peer
from cdi.cli.sending.refusal import refused
from importer.cancel import Cancel
from importer.progress import Progress, Stage

_SYNCHRONOUS, _ASYNCHRONOUS, _ARCHIVE = "/v1beta1/upload", "/v1beta1/upload-async", "/v1beta1/upload-archive"


@dataclass(frozen=True, slots=True)
class PlainUpload:
    peer: Peer
    token: str

    def send(self, content: Content, progress: Progress, cancel: Cancel, *, archive: bool) -> None:
        """Blocking. When it returns, all bytes have come; whether they became a disk is told by the DataVolume.
        Raises Fault UploadCutOff, UploadRefused,
        and what the content raises."""
        headers = {"Authorization": f"Bearer {self.token}"}
        path = _ARCHIVE if archive else self._path(headers)
        cancel.on_request(self.peer.interrupt)
        size = content.length
        progress.expect(size)
        progress.enter(Stage.SENDING)
        body = Body(_counted(content.pieces(0), progress), size, content.media_type)
        self.peer.close()  # on a connection that the proxy is just closing the body would be lost
        try:
            answer = self.peer.ask("POST", path, headers, body)
        except (OSError, http.client.HTTPException) as error:
            cancel.check(progress.bytes_fetched)
            raise Fault("UploadCutOff", sent=f"{progress.bytes_fetched:,}", total=f"{size:,}", cause=error) from error
        cancel.check(progress.bytes_fetched)
        if answer.status != http.client.OK:
            raise refused(answer)

    def _path(self, headers: dict[str, str]) -> str:
        """Where a proxy between ends requests that are not answered for a minute, the answer must not wait for the
        disk."""
        answer = self.peer.ask("HEAD", _ASYNCHRONOUS, headers)
        return _ASYNCHRONOUS if answer.status == http.client.OK else _SYNCHRONOUS


def _counted(pieces: Iterator[memoryview], progress: Progress) -> Iterator[memoryview]:
    for piece in pieces:
        yield piece
        progress.fetched(len(piece))
