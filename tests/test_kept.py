"""Are results kept by what they were made from, made once, and not kept where making them failed?"""

from __future__ import annotations

import threading

import pytest

from lgq_explore.kept import Kept


def test_a_result_is_made_once_and_the_oldest_is_forgotten() -> None:
    kept, made = Kept[str, int](most=2), list[str]()

    def get(key: str) -> int:
        return kept.get(key, lambda: made.append(key) or len(made))  # type: ignore[func-returns-value]

    assert [get("a"), get("b"), get("a")] == [1, 2, 1]
    assert get("c") == 3  # b was asked for longest ago
    assert [kept.is_known(key) for key in "abc"] == [True, False, True]
    assert get("b") == 4


def test_who_asks_for_one_in_the_making_waits_for_it() -> None:
    kept, started, go_on, made = Kept[str, str](most=2), threading.Event(), threading.Event(), list[str]()

    def slowly() -> str:
        started.set()
        go_on.wait(10)
        return "first"

    def ask(make: object) -> None:
        made.append(kept.get("a", make))  # type: ignore[arg-type]

    first = threading.Thread(target=ask, args=(slowly,))
    first.start()
    assert started.wait(10)
    assert not kept.is_known("a")
    assert kept.get("b", lambda: "another") == "another"  # one in the making holds up no other
    second = threading.Thread(target=ask, args=(lambda: "second",))
    second.start()
    go_on.set()
    first.join(10)
    second.join(10)
    assert made == ["first", "first"]


def test_what_failed_is_made_again() -> None:
    kept = Kept[str, int](most=2)
    with pytest.raises(ZeroDivisionError):
        kept.get("a", lambda: 1 // 0)
    assert not kept.is_known("a")
    assert kept.get("a", lambda: 7) == 7
