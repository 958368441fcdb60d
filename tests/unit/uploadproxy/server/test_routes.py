"""What is written twice to save memory is the same."""

from __future__ import annotations

from cdi.base.wire.extents.frames import MEDIA_TYPE
from uploadproxy.server.routes import SPARSE


def test_the_media_type_of_a_sparse_stream_is_the_format_s() -> None:
    assert SPARSE == MEDIA_TYPE
