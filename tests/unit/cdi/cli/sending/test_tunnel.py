"""Connections through an API server, to what listens on loopback."""

from __future__ import annotations

import random
import socket
import threading
from collections.abc import Iterator

import pytest
from support.portforwarding import ApiWithPods

from cdi.cli.sending.tunnel import Tunnel
from cdi.kube.config import Access
from cdi.kube.errors import Forbidden


@pytest.fixture
def api() -> Iterator[ApiWithPods]:
    with ApiWithPods() as made:
        yield made


@pytest.fixture
def echo(api: ApiWithPods) -> Iterator[None]:
    """Pod ``echo`` says everything again; ``mute`` takes a connection and ends it at once."""
    with socket.create_server(("127.0.0.1", 0)) as speaking, socket.create_server(("127.0.0.1", 0)) as silent:
        threads = [threading.Thread(target=serve, args=each) for each in ((speaking, True), (silent, False))]
        for thread in threads:
            thread.start()
        api.pods |= {"echo": speaking.getsockname()[1], "mute": silent.getsockname()[1]}
        yield
        for server in (speaking, silent):
            server.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(30)


def serve(server: socket.socket, speaks: bool) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=attend, args=(connection, speaks), daemon=True).start()


def attend(connection: socket.socket, speaks: bool) -> None:
    with connection:
        while speaks and (data := connection.recv(1 << 16)):
            connection.sendall(data)


def said_again(connection: socket.socket, data: bytes) -> bytes:
    sender = threading.Thread(target=connection.sendall, args=(data,))
    sender.start()
    heard = b""
    while len(heard) < len(data):
        heard += connection.recv(1 << 16)
    sender.join(30)
    return heard


@pytest.mark.parametrize("splits", [False, True])
def test_what_is_sent_arrives_and_what_comes_back_too(api: ApiWithPods, echo: None, splits: bool) -> None:
    api.splits = splits
    data = random.Random(1).randbytes(5_000_001)
    with Tunnel(api.access, "team", "echo", 8443) as tunnel:
        with tunnel.dial() as first, tunnel.dial() as second:
            assert said_again(first, data) == data
            assert said_again(second, b"another") == b"another"
        with tunnel.dial() as third:
            assert said_again(third, b"again") == b"again"
    assert api.tunnels == 3


def test_the_end_of_the_other_side_is_the_end_of_the_connection(api: ApiWithPods, echo: None) -> None:
    with Tunnel(api.access, "team", "mute", 8443) as tunnel, tunnel.dial() as connection:
        assert connection.recv(1) == b""


def test_a_port_at_which_nobody_listens_ends_the_connection(api: ApiWithPods) -> None:
    with Tunnel(api.access, "team", "nobody", 8443) as tunnel, tunnel.dial() as connection:
        assert connection.recv(1) == b""


def test_the_end_of_the_tunnel_cuts_what_is_open(api: ApiWithPods, echo: None) -> None:
    with Tunnel(api.access, "team", "echo", 8443) as tunnel:
        connection = tunnel.dial()
    with connection:
        assert connection.recv(1) == b""


def test_who_may_not_learns_it_in_the_words_of_the_api_server(api: ApiWithPods) -> None:
    api.refusal = 'pods "echo" is forbidden: User "alice" cannot get resource "pods/portforward"'
    with Tunnel(api.access, "team", "echo", 8443) as tunnel, pytest.raises(Forbidden, match='User "alice" cannot get'):
        tunnel.dial()


def test_a_dial_that_waits_can_be_interrupted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        access = Access(f"http://127.0.0.1:{silent.getsockname()[1]}")
        with Tunnel(access, "team", "echo", 8443) as tunnel:

            def interrupt() -> None:
                connection, _ = silent.accept()
                with connection:
                    tunnel.interrupt()

            thread = threading.Thread(target=interrupt)
            thread.start()
            with pytest.raises(OSError, match="interrupted"):
                tunnel.dial()
            thread.join(30)


def test_what_is_dialled_after_an_interruption_is_interrupted() -> None:
    """It comes from another thread: between two requests as well as within one."""
    with (
        socket.create_server(("127.0.0.1", 0)) as silent,
        Tunnel(Access(f"http://127.0.0.1:{silent.getsockname()[1]}"), "team", "echo", 8443) as tunnel,
    ):
        tunnel.interrupt()
        with pytest.raises(OSError, match="interrupted"):
            tunnel.dial()
