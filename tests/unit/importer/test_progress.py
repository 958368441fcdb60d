"""Progress: monotonic, never over 100, and 100 only when the disk is whole."""

from hypothesis import given
from hypothesis import strategies as st

from importer.progress import Progress, Snapshot, Stage, bar, line


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@given(st.lists(st.integers(0, 500), max_size=40), st.integers(0, 5000))
def test_percent_never_falls_and_is_100_only_when_done(steps: list[int], total: int) -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.enter(Stage.FETCHING)
    progress.expect(total)
    seen: list[float] = []
    for step in steps:
        clock.now += 0.3
        progress.fetched(step)
        percent = progress.snapshot().percent
        assert percent is not None
        seen.append(percent)
    assert seen == sorted(seen)
    assert all(percent < 100 for percent in seen)
    progress.enter(Stage.DONE)
    assert progress.snapshot().percent == 100.0


def test_an_unknown_total_shows_bytes_and_rate_instead_of_a_percentage() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.enter(Stage.FETCHING)
    clock.now = 1.0
    progress.fetched(50 * 1024 * 1024)
    assert line(progress.snapshot()) == "Fetching    [-----------?------------]  50 MiB  50 MiB/s"


def test_a_line_says_stage_percent_bytes_rate_and_what_is_left() -> None:
    snapshot = Snapshot(Stage.FETCHING, 50 * 2**20, 200 * 2**20, 25.0, 10 * 2**20, 15.0, 5.0)
    assert line(snapshot) == "Fetching    [######                  ]   25.0 %  50 MiB of 200 MiB  10 MiB/s  ETA 15 s"


def test_a_json_line_has_the_contract_s_keys() -> None:
    snapshot = Snapshot(Stage.FETCHING, 1, None, None, 2.4, None, 1.0)
    assert snapshot.told().encode() == (
        '{"stage":"Fetching","bytesDone":1,"bytesTotal":null,"percent":null,"rateBps":2,"etaSeconds":null,"durable":0}'
    )


def test_a_full_bar_is_full() -> None:
    assert bar(100.0, 4) == "[####]"
    assert bar(0.0, 4) == "[    ]"


def test_what_starts_again_counts_from_nothing() -> None:
    clock = Clock()
    progress = Progress(clock)
    progress.enter(Stage.FETCHING)
    progress.expect(100)
    progress.fetched(60)
    assert progress.snapshot().percent == 60.0
    progress.start_again()
    progress.expect(100)
    clock.now = 1.0
    progress.fetched(30)
    again = progress.snapshot()
    assert (again.bytes_done, again.percent, again.rate_bps) == (30, 30.0, 30.0)
