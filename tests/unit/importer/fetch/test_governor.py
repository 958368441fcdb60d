"""The governor: more connections while they pay, fewer when not."""

from collections.abc import Callable

from importer.fetch.governor import Governor, Limits


def run(rate: Callable[[int], float], seconds: float, limits: Limits | None = None) -> list[int]:
    """Connections at each quarter second against a server whose total ``rate`` depends on their number."""
    governor, total, used = Governor(limits or Limits(), 0.0), 0.0, []
    for step in range(1, int(seconds * 4) + 1):
        total += rate(governor.connections) * 0.25
        used.append(governor.sample(int(total), step * 0.25))
    return used


def test_a_server_that_limits_each_connection_gets_eight_within_a_second() -> None:
    assert run(lambda connections: 40e6 * connections, 1)[-2:] == [8, 8]


def test_a_link_that_two_connections_fill_stays_at_two() -> None:
    used = run(lambda connections: 1e9, 5)
    assert used.count(2) >= len(used) - 2
    assert max(used) == 4


def test_nothing_is_added_while_nothing_arrives() -> None:
    assert set(run(lambda connections: 0.0, 3)) == {2}


def test_the_limits_hold() -> None:
    assert max(run(lambda connections: 1e6 * connections, 10, Limits(least=1, most=3))) == 3
