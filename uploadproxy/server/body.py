"""The body of a request: of an announced length, or in chunks."""

from __future__ import annotations

import math

from cdi.base.faults import Fault
from importer.sources.chunks import Chunks
from importer.sources.incoming import BadAnswer, Ended, Incoming
from uploadproxy.server.request import Request

_CUT = "the client closed the connection before its last byte"


class Body:
    """One reader. ``left``: bytes that are to come, None while that is not known."""

    def __init__(self, request: Request, incoming: Incoming) -> None:
        self._incoming = incoming
        self.left = request.length
        self._chunks = Chunks(incoming, math.inf) if request.length is None else None

    def readinto(self, buffer: memoryview) -> int:
        """Fill the front of ``buffer``; 0 only at the proven end. Blocking. Raises Fault UploadMalformed and what the
        channel raises; ConnectionError when the client has gone."""
        if self._chunks is not None:
            return self._from_chunks(self._chunks, buffer)
        assert self.left is not None
        if not self.left:
            return 0
        count = self._incoming.fill(buffer[: self.left])
        if count == 0:
            raise ConnectionResetError(None, _CUT)
        self.left -= count
        return count

    def _from_chunks(self, chunks: Chunks, buffer: memoryview) -> int:
        try:
            count = chunks.readinto(buffer)
        except BadAnswer as error:
            raise Fault("UploadMalformed", cause=str(error)) from error
        except Ended as error:
            raise ConnectionResetError(None, _CUT) from error
        if chunks.ended:
            self.left = 0
        return count
