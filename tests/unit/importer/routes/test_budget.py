from __future__ import annotations

import threading

from importer.routes.budget import Budget


def test_what_is_held_together_never_exceeds_the_budget() -> None:
    budget, lock = Budget(10), threading.Lock()
    held, most = 0, 0

    def work(size: int) -> None:
        nonlocal held, most
        for _ in range(200):
            with budget.holding(size):
                with lock:
                    held += size
                    most = max(most, held)
                with lock:
                    held -= size

    threads = [threading.Thread(target=work, args=(size,)) for size in (1, 3, 4, 7, 10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert held == 0
    assert 0 < most <= 10


def test_who_needs_more_than_there_is_has_it_alone() -> None:
    budget, order = Budget(10), list[str]()

    def second() -> None:
        with budget.holding(1):
            order.append("second")

    thread = threading.Thread(target=second)
    with budget.holding(1000):
        thread.start()
        order.append("first")
    thread.join()
    assert order == ["first", "second"]


def test_an_exception_gives_back_what_was_held() -> None:
    budget = Budget(10)
    for _ in range(3):
        try:
            with budget.holding(10):
                raise KeyError
        except KeyError:
            pass
