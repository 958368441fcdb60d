"""The head of a request: what is understood, and that anything else is an answer and no exception."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.saying import Saying

from importer.sources.incoming import Incoming
from uploadproxy.server.request import BadRequest, Request, media_type, read_request

HEAD = b"POST /v1beta1/upload?x=1 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"


def read(data: bytes, step: int = 1 << 20) -> Request | None:
    channel = Saying(data, step)
    return read_request(Incoming(channel), channel)


@pytest.mark.parametrize("step", [1, 3, 1000])
def test_a_head_is_read_whatever_pieces_it_comes_in(step: int) -> None:
    assert read(HEAD, step) == Request("POST", "/v1beta1/upload", 5, expects=True)
    assert read(HEAD.replace(b"\r\n", b"\n"), step) == Request("POST", "/v1beta1/upload", 5, expects=True)


def test_what_follows_a_head_is_left_for_whoever_reads_on() -> None:
    channel = Saying(HEAD + b"hello" + HEAD, 7)
    incoming = Incoming(channel)
    assert read_request(incoming, channel) is not None
    buffer, filled = memoryview(bytearray(5)), 0
    while filled < 5:
        filled += incoming.fill(buffer[filled:])
    assert bytes(buffer) == b"hello"
    assert read_request(incoming, channel) == Request("POST", "/v1beta1/upload", 5, expects=True)
    assert read_request(incoming, channel) is None


@pytest.mark.parametrize(
    ("lines", "goes_on"),
    [("HTTP/1.1", True), ("HTTP/1.1\r\nConnection: Close", False), ("HTTP/1.0\r\nConnection: keep-alive", False)],
)
def test_another_request_may_follow_only_where_both_know_that(lines: str, goes_on: bool) -> None:
    found = read(f"GET / {lines}\r\nHost: a\r\n\r\n".encode())
    assert found is not None
    assert (found.goes_on, found.has_body) == (goes_on, False)


def test_a_body_of_chunks_has_no_length() -> None:
    found = read(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nContent-Type: a/b\r\n\r\n")
    assert found == Request("POST", "/", None, content_type="a/b")


def test_who_closes_without_a_word_gets_none_back() -> None:
    assert read(b"") is None
    assert read(b"POST /v1be") is None


def test_a_head_that_breaks_off_is_told_as_a_lost_connection() -> None:
    with pytest.raises(OSError, match="closed"):
        read(HEAD[:60])


_token = st.text("abAB-:/ ,;=\t0129", max_size=12)
_lines = st.lists(
    st.sampled_from(
        [
            "Host: a",
            "Content-Length: 5",
            "Content-Length: 6",
            "Transfer-Encoding: chunked",
            "Expect: 100-continue",
            " fold",
        ]
    )
    | st.builds("{}: {}".format, _token, _token),
    max_size=6,
)


@given(
    st.binary(max_size=400) | st.builds(lambda a, b: HEAD[:a] + b, st.integers(0, len(HEAD)), st.binary(max_size=60))
)
def test_no_bytes_are_more_than_an_answer(data: bytes) -> None:
    judge(data)


@given(st.sampled_from(["POST /a HTTP/1.1", "GET / HTTP/1.0", "A B C", "PUT * HTTP/9.9"]), _lines)
def test_no_headers_are_more_than_an_answer(line: str, lines: list[str]) -> None:
    judge("\r\n".join((line, *lines, "", "")).encode())


def judge(data: bytes) -> None:
    """A request whose body has one end, none at all, a lost connection, or a short answer."""
    found = result_of(data)
    if isinstance(found, BadRequest):
        assert 400 <= found.status < 600 and len(str(found)) < 400 and str(found).isprintable()
    elif isinstance(found, Request):
        folded = data.lower()
        ends = (b"content-length:" in folded) + (b"transfer-encoding:" in folded)
        assert ends < 2 or b"\n " in folded or b"\n\t" in folded


def result_of(data: bytes) -> Request | BadRequest | ConnectionError | None:
    try:
        return read(data)
    except (BadRequest, ConnectionError) as error:
        return error


def test_a_media_type_is_read_without_its_parameters() -> None:
    assert media_type(" Application/Offset+octet-stream ; charset=x") == "application/offset+octet-stream"
