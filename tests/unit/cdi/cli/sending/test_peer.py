"""A connection to the other end of an upload that is interrupted from another thread."""

from __future__ import annotations

import socket
import ssl
import threading

import pytest

from cdi.cli.sending.peer import Address, Peer


def peer_of(server: socket.socket) -> Peer:
    address = Address(lambda: socket.create_connection(server.getsockname()), "localhost", "localhost")
    return Peer(address, ssl.create_default_context())


def test_a_handshake_that_waits_is_interrupted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = peer_of(silent)

        def interrupt() -> None:
            connection, _ = silent.accept()
            with connection:
                connection.recv(1)  # it has begun
                peer.interrupt()

        thread = threading.Thread(target=interrupt)
        thread.start()
        with pytest.raises((ssl.SSLError, ConnectionError)):
            peer.ask("GET", "/", {})
        thread.join(30)


def test_what_is_asked_after_an_interruption_is_interrupted() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        peer = peer_of(silent)
        peer.interrupt()
        with pytest.raises(OSError, match="interrupted"):
            peer.ask("GET", "/", {})
