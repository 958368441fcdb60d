from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cdi.kube.backoff import Backoff


def test_waits_double_to_a_limit_and_begin_anew() -> None:
    backoff = Backoff(1.0, 10.0, jitter=lambda: 1.0)
    assert [backoff.next_s() for _ in range(6)] == [1, 2, 4, 8, 10, 10]
    backoff.reset()
    assert backoff.next_s() == 1


@given(st.floats(0, 1, exclude_max=True), st.integers(0, 100_000))
def test_a_wait_is_at_least_half_of_what_it_could_be(jitter: float, failures: int) -> None:
    backoff = Backoff(1.0, 10.0, lambda: jitter, failures)
    assert min(10.0, 2.0 ** min(failures, 60)) / 2 <= backoff.next_s() <= 10
