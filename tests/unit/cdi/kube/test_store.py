from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cdi.kube.store import Key, Store

A, B = Key("n", "a"), Key("n", "b")


def test_objects_are_found_by_name_and_namespace() -> None:
    store = Store[str]()
    store.put(A, "x", "1")
    assert (store.get("a", "n"), store.get("a"), store.all(), len(store)) == ("x", None, ["x"], 1)


def test_subscribers_hear_of_what_is_there_and_of_every_change() -> None:
    store = Store[str]()
    store.put(A, "x", "1")
    heard: list[tuple[str | None, str | None]] = []
    store.subscribe(lambda old, new: heard.append((old, new)))
    store.put(A, "y", "2")
    store.put(A, "y", "2")  # told twice
    store.drop(A)
    store.drop(A)
    assert heard == [(None, "x"), ("x", "y"), ("y", None)]


def test_what_was_deleted_unseen_is_told_as_deleted() -> None:
    store = Store[str]()
    store.put(A, "x", "1")
    store.put(B, "y", "2")
    heard: list[tuple[str | None, str | None]] = []
    store.subscribe(lambda old, new: heard.append((old, new)))
    store.keep_only({B})
    assert heard[2:] == [("x", None)] and store.all() == ["y"]


def test_a_failing_subscriber_does_not_stop_the_others(caplog: pytest.LogCaptureFixture) -> None:
    store = Store[str]()
    heard: list[str | None] = []
    store.subscribe(lambda old, new: 1 / 0 and None)
    store.subscribe(lambda old, new: heard.append(new))
    store.put(A, "x", "1")
    assert heard == ["x"] and "a subscriber failed" in caplog.text


def test_an_index_cannot_be_made_twice() -> None:
    store = Store[str]()
    store.index("first", lambda item: item[:1])
    with pytest.raises(ValueError, match="an index first already"):
        store.index("first", lambda item: item[:1])


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.none() | st.text("xyz", max_size=3))), st.integers(0, 20))
def test_an_index_always_agrees_with_a_search(changes: list[tuple[str, str | None]], made_at: int) -> None:
    store = Store[str]()
    for number, (name, item) in enumerate(changes):
        if number == made_at:
            store.index("letters", set)
        if item is None:
            store.drop(Key("n", name))
        else:
            store.put(Key("n", name), item, str(number))
    if made_at >= len(changes):
        store.index("letters", set)
    for letter in "xyz":
        assert sorted(store.by("letters", letter)) == sorted(item for item in store.all() if letter in item)
