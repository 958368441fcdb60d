"""Heads of answers and chunks, over a pair of sockets: what real servers send, and the bounds of the rest."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from importer.sources.chunks import Chunks
from importer.sources.head import FIELD_LIMIT, HEAD_LIMIT, LINE_LIMIT, Head, read_head
from importer.sources.incoming import BadAnswer, Ended, Incoming

Pair = tuple[socket.socket, socket.socket]


@pytest.fixture
def pair() -> Iterator[Pair]:
    ours, theirs = socket.socketpair()
    ours.settimeout(20)
    with ours, theirs:
        yield ours, theirs


def sending(theirs: socket.socket, data: bytes) -> threading.Thread:
    """Sends and closes, in a thread of its own: what nobody reads fills the socket."""

    def send() -> None:
        try:
            theirs.sendall(data)
            theirs.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the reader has had enough

    thread = threading.Thread(target=send, daemon=True)
    thread.start()
    return thread


def head_of(pair: Pair, data: bytes) -> Head:
    sending(pair[1], data)
    return read_head(Incoming(pair[0]), 20)


def refusal_of(pair: Pair, data: bytes) -> str:
    with pytest.raises(BadAnswer) as caught:
        head_of(pair, data)
    pair[0].close()
    return str(caught.value)


@pytest.mark.parametrize(
    "before",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 50,
        b"HTTP/1.1 103 Early Hints\r\nLink: </s.css>; rel=preload\r\nContent-Length: 9\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 199 New\r\n\r\n",
        b"",
    ],
)
def test_what_comes_before_the_final_answer_is_read_past(pair: Pair, before: bytes) -> None:
    head = head_of(pair, before + b"HTTP/1.1 206 Partial Content\r\nContent-Length: 3\r\n\r\n")
    assert (head.status, head.reason, head.length, head.keeps) == (206, "Partial Content", 3, True)


def test_fields_are_read_in_every_manner_that_servers_write_them(pair: Pair) -> None:
    head = head_of(
        pair,
        b"HTTP/1.1 200\r\nA:1\r\nb :  two  \r\nno colon here\r\nFolded: one\r\n  two\r\n\tthree\r\n"
        b"a: again\r\nLatin: \xe4\nContent-Length: 5, 5\r\ncontent-length: 5\n\r\n",
    )
    said = {name: head.headers.get(name) for name in ("a", "B", "FOLDED", "latin", "none")}
    assert said == {"a": "1", "B": "two", "FOLDED": "one two three", "latin": "\xe4", "none": None}
    assert head.headers.joined("A") == "1, again"
    assert (head.status, head.reason, head.length) == (200, "", 5)


def test_as_many_fields_as_curl_reads_are_read(pair: Pair) -> None:
    fields = b"".join(b"X-Edge-%d: %d\r\n" % (n, n) for n in range(FIELD_LIMIT))
    assert head_of(pair, b"HTTP/1.1 200 OK\r\n" + fields + b"\r\n").headers.get("x-edge-4999") == "4999"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"SSH-2.0-OpenSSH_9\r\n\r\n", "it begins with 'SSH-2.0-OpenSSH_9'"),
        (b"HTTP/1.1 2OO OK\r\n\r\n", "it begins with"),
        (b"\x1b[31m\xff\r\n\r\n", "it begins with '?[31m?'"),
        (b"ICY 200 OK\r\n\r\n", "it begins with"),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", "101"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n", "Content-Length is '5, 6'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n", "Content-Length is '-5'"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: " + b"9" * 5000 + b"\r\n\r\n", "Content-Length is '999"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n", "Content-Length is '?'"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", "Transfer-Encoding is 'gzip, chunked'"),
        (b"HTTP/1.1 200 OK\r\nA: " + b"x" * (LINE_LIMIT + 1) + b"\r\n\r\n", "a line of it is longer"),
        (b"x" * (LINE_LIMIT + 9000), "a line of it is longer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A: %s\r\n" % (b"x" * 999) * 320 + b"\r\n", "its head is longer"),
        (b"HTTP/1.1 200 OK\r\n" + b"A:\r\n" * (FIELD_LIMIT + 1) + b"\r\n", "more than 5,000 fields"),
        (b"HTTP/1.1 103 Early Hints\r\n\r\n" * (HEAD_LIMIT // 25), "its head is longer"),
    ],
)  # fmt: skip
def test_what_is_no_head_is_said_in_few_words(pair: Pair, data: bytes, says: str) -> None:
    refusal = refusal_of(pair, data)
    assert says in refusal
    assert len(refusal) < 200
    assert refusal.isprintable()


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "without an answer"), (b"HTTP/1.1 20", "in the middle"), (b"HTTP/1.1 200 OK\r\n", "middle")],
)
def test_an_end_where_more_has_to_come_is_a_lost_connection(pair: Pair, data: bytes, says: str) -> None:
    with pytest.raises(Ended, match=says):
        head_of(pair, data)


@pytest.mark.parametrize(
    ("data", "keeps", "length", "chunked"),
    [
        (b"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n", False, 1, False),
        (b"HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 1\r\n\r\n", True, 1, False),
        (b"HTTP/1.1 200 OK\r\nConnection: x, Close\r\nContent-Length: 1\r\n\r\n", False, 1, False),
        (b"HTTP/1.1 200 OK\r\n\r\n", False, None, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n", False, None, False),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 7\r\nTransfer-Encoding: Chunked\r\n\r\n", True, None, True),
        (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 7\r\n\r\n", True, 0, False),
        (b"HTTP/1.1 204 No Content\r\n\r\n", True, 0, False),
    ],
)
def test_how_a_body_ends_and_whether_the_connection_stays(
    pair: Pair, data: bytes, keeps: bool, length: int | None, chunked: bool
) -> None:
    head = head_of(pair, data)
    assert (head.keeps, head.length, head.chunked) == (keeps, length, chunked)


def test_a_head_that_comes_byte_by_byte_ends_with_the_patience(pair: Pair) -> None:
    pair[0].settimeout(0.2)
    pair[1].sendall(b"HTTP/1.1 200 OK\r\n")
    with pytest.raises(TimeoutError):
        read_head(Incoming(pair[0]), 0.0)


def test_long_heads_take_no_time(pair: Pair) -> None:
    """Linear, and far below a second: what a server sends is read once."""
    began_s = time.process_time()
    refusal_of(pair, b"HTTP/1.1 200 OK\r\n" + b"a\r\n" * (HEAD_LIMIT // 3))
    assert time.process_time() - began_s < 5


def chunked(pair: Pair, data: bytes, step: int = 1000) -> bytes:
    sending(pair[1], data)
    chunks, found = Chunks(Incoming(pair[0]), 20), bytearray()
    buffer = memoryview(bytearray(step))
    while count := chunks.readinto(buffer):
        found += buffer[:count]
    assert chunks.ended
    return bytes(found)


def test_chunks_of_all_sizes_with_extensions_and_trailers_give_the_bytes(pair: Pair) -> None:
    chance = random.Random(3)
    data, sent, position = chance.randbytes(50_000), bytearray(), 0
    while position < len(data):
        size = chance.choice((1, 7, 900, 5000))
        piece = data[position : position + size]
        extension = chance.choice((b"", b" ", b';name="va\\"lue"', b" ; a=b;c"))
        sent += b"%x" % len(piece) + extension + chance.choice((b"\r\n", b"\n")) + piece + b"\r\n"
        position += len(piece)
    assert chunked(pair, bytes(sent) + b"000\r\nDigest: x\r\nOther: y\r\n\r\n") == data


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"-5\r\n", "has no size"),
        (b"0x5\r\nabcde\r\n", "has no size"),
        (b"\r\n", "has no size"),
        (b"5_0\r\n", "has no size"),
        (b"f" * 17 + b"\r\n", "has no size"),
        (b"5;" + b"x" * 5000 + b"\r\nabcde\r\n0\r\n\r\n", "a line of it is longer"),
        (b"2\r\nabcde\r\n0\r\n\r\n", "longer than it said"),
        (b"1;" + b"x" * 4000 + b"\r\na\r\n" * 9, "has no size|hold next to nothing|longer than it said"),
        ((b"1;" + b"x" * 2000 + b"\r\na\r\n") * 20, "hold next to nothing"),
        (b"0\r\n" + b"A: b\r\n" * 20_000 + b"\r\n", "its trailer is longer"),
    ],
)
def test_what_is_no_chunk_or_holds_next_to_nothing_ends(pair: Pair, data: bytes, says: str) -> None:
    with pytest.raises(BadAnswer, match=says):
        chunked(pair, data)
    pair[0].close()


@pytest.mark.parametrize("data", [b"", b"5", b"5\r\nabc", b"5\r\nabcde", b"5\r\nabcde\r\n", b"5\r\nabcde\r\n0\r\n"])
def test_chunks_that_break_off_are_never_an_end(pair: Pair, data: bytes) -> None:
    with pytest.raises(Ended, match="broke off"):
        chunked(pair, data)
