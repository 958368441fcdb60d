"""How long a client is waited for: a clock that moves only as the test says."""

from __future__ import annotations

import ssl
import time
from typing import cast

import pytest

from cdi.base.faults import Fault
from uploadproxy.server.channel import LEAST, WITHIN_S, Channel, Interrupted


class Connection:
    """Each receive takes so many seconds and gives so many bytes; none is a receive that saw nothing in its time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_s = 0.0
        self.receives: list[tuple[float, int | None]] = []
        monkeypatch.setattr(time, "monotonic", lambda: self.now_s)

    def recv_into(self, buffer: memoryview, nbytes: int) -> int:
        seconds, count = self.receives.pop(0)
        self.now_s += seconds
        if count is None:
            raise TimeoutError
        return min(count, nbytes)


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch) -> Connection:
    return Connection(monkeypatch)


@pytest.fixture
def channel(connection: Connection) -> Channel:
    return Channel(cast("ssl.SSLSocket", connection))


BUFFER = bytearray(LEAST)


def test_a_client_that_sends_a_byte_a_minute_is_stalled(connection: Connection, channel: Channel) -> None:
    connection.receives = [(1.0, None)] * 30 + [(1.0, 1)] + [(1.0, None)] * 29
    with channel.of_a_body():
        assert channel.recv_into(BUFFER) == 1
        with pytest.raises(Fault, match="only 1 bytes") as caught:
            channel.recv_into(BUFFER)
    assert (caught.value.code, connection.now_s) == ("UploadStalled", WITHIN_S)


def test_a_slow_client_that_sends_just_enough_goes_on(connection: Connection, channel: Channel) -> None:
    connection.receives = [(29.0, LEAST // 2), (30.0, LEAST // 2)] * 100
    with channel.of_a_body():
        for _ in range(200):
            assert channel.recv_into(BUFFER) == LEAST // 2


def test_time_between_receives_is_ours(connection: Connection, channel: Channel) -> None:
    connection.receives = [(0.1, 1)] * 100
    with channel.of_a_body():
        for _ in range(100):
            channel.recv_into(BUFFER)
            connection.now_s += 1000


def test_what_is_no_body_has_its_own_end_of_time(connection: Connection, channel: Channel) -> None:
    connection.receives = [(1.0, None)] * 200
    channel.until_s = 120.0
    with pytest.raises(TimeoutError):
        channel.recv_into(BUFFER)
    assert connection.now_s == 120.0


def test_an_interruption_is_for_one_body_only(connection: Connection, channel: Channel) -> None:
    connection.receives = [(1.0, 5)] * 2
    with channel.of_a_body():
        channel.interrupt()
        with pytest.raises(Interrupted):
            channel.recv_into(BUFFER)
    assert channel.recv_into(BUFFER) == 5
    with channel.of_a_body():
        assert channel.recv_into(BUFFER) == 5


def test_records_are_handed_over_together_within_half_a_second(connection: Connection, channel: Channel) -> None:
    connection.receives = [(0.01, 16_384)] * 3 + [(0.6, 16_384)] + [(0.01, 16_384)] * 100
    buffer = memoryview(bytearray(200_000))
    with channel.of_a_body():
        assert channel.fill(buffer) == 4 * 16_384
        assert channel.fill(buffer) == len(buffer)


def test_what_came_before_the_end_is_given_before_it(connection: Connection, channel: Channel) -> None:
    connection.receives = [(0.0, 5), (0.0, 0), (0.0, 0)]
    buffer = memoryview(bytearray(200))
    assert [channel.fill(buffer), channel.fill(buffer)] == [5, 0]
