"""Tests of work in the background: order, threads, and the wait for its end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.parts.work.background import Abandoned, Background

FAILURES = {-1: Abandoned(), -2: InputError("no such run"), -3: ZeroDivisionError("a defect")}
"""What pieces of these numbers raise."""


class Planted:
    """Pieces with numbers; each notes in which thread it was done, and how many were shown by then."""

    def __init__(self, *numbers: int) -> None:
        self.left = list(numbers)
        self.done: list[tuple[int, bool]] = []
        self.shown: list[int] = []
        self.failed: list[Exception] = []
        self.background = Background(self.next_piece, lambda: self.shown.append(len(self.done)), self.failed.append)

    def next_piece(self) -> Callable[[], None] | None:
        return (lambda: self.work(self.left[0])) if self.left else None

    def work(self, number: int) -> None:
        self.left.remove(number)
        if number < 0:
            raise FAILURES[number]
        self.done.append((number, threading.current_thread() is threading.main_thread()))


def test_pieces_are_done_in_another_thread_one_after_the_other_and_shown() -> None:
    async def work() -> Planted:
        planted = Planted(3, 5)
        planted.background.begin()
        planted.background.begin()  # it works already
        await planted.background.finished()
        return planted

    planted = asyncio.run(work())
    assert planted.done == [(3, False), (5, False)]
    assert planted.shown == [1, 2]


def test_it_begins_again_when_there_is_more() -> None:
    async def work() -> Planted:
        planted = Planted()
        planted.background.begin()
        await planted.background.finished()
        planted.left = [8]
        planted.background.begin()
        await planted.background.finished()
        return planted

    assert asyncio.run(work()).done == [(8, False)]


def test_in_a_script_nothing_is_begun() -> None:
    planted = Planted(3)
    planted.background.begin()
    assert planted.left == [3]


def test_an_abandoned_piece_is_no_error_and_shows_nothing() -> None:
    async def work() -> Planted:
        planted = Planted(-1, 5)
        planted.background.begin()
        await planted.background.finished()
        return planted

    planted = asyncio.run(work())
    assert planted.done == [(5, False)]
    assert planted.shown == [1]
    assert planted.failed == []


def test_a_failure_is_told_and_ends_the_work_until_it_begins_again() -> None:
    async def work() -> Planted:
        planted = Planted(-2, 5)
        planted.background.begin()
        await planted.background.finished()
        assert planted.failed == [FAILURES[-2]]
        assert planted.done == []
        planted.background.begin()
        await planted.background.finished()
        return planted

    assert asyncio.run(work()).done == [(5, False)]


def test_a_defect_is_told_and_raised_too() -> None:
    async def work() -> Planted:
        planted = Planted(-3)
        planted.background.begin()
        with pytest.raises(ZeroDivisionError):
            await planted.background.finished()
        return planted

    assert asyncio.run(work()).failed == [FAILURES[-3]]


def test_after_stop_no_other_piece_is_begun_until_it_is_allowed() -> None:
    async def work() -> tuple[list[tuple[int, bool]], list[tuple[int, bool]]]:
        planted = Planted(3, 5, 8)
        background = planted.background = Background(
            planted.next_piece, lambda: background.stop(), planted.failed.append
        )
        planted.background.begin()
        await planted.background.finished()
        planted.background.begin()  # what is drawn meanwhile changes nothing
        await planted.background.finished()
        stopped = list(planted.done)
        planted.background.allow()
        planted.background.begin()
        await planted.background.finished()
        return stopped, planted.done

    background = Planted().background
    background.require_wanted()
    background.stop()
    with pytest.raises(Abandoned):
        background.require_wanted()
    stopped, done = asyncio.run(work())
    assert stopped == [(3, False)]
    assert done == [(3, False), (5, False)]  # and stopped again


def test_an_urgent_piece_does_not_wait_for_the_end_of_another() -> None:
    asked, answered = threading.Event(), threading.Event()
    order: list[str] = []

    def long_one() -> None:
        asked.set()
        assert answered.wait(10)
        order.append("long")

    def urgent_one() -> None:
        order.append("urgent")
        answered.set()

    async def work() -> None:
        left, urgent = [long_one], []
        background = Background(
            lambda: left.pop() if left else None,
            lambda: None,
            lambda error: order.append(repr(error)),
            urgent=lambda: urgent.pop() if urgent else None,
        )
        background.begin()
        await asyncio.to_thread(asked.wait)
        urgent.append(urgent_one)
        background.begin()
        await background.finished()

    asyncio.run(work())
    assert order == ["urgent", "long"]


def test_what_a_piece_leaves_urgent_is_done_before_all_is_finished() -> None:
    urgent: list[Callable[[], None]] = []
    done: list[str] = []
    left = [lambda: urgent.append(lambda: done.append("urgent"))]

    async def work() -> None:
        background = Background(
            lambda: left.pop() if left else None,
            lambda: None,
            lambda error: done.append(repr(error)),
            urgent=lambda: urgent.pop() if urgent else None,
        )
        background.begin()
        await background.finished()

    asyncio.run(work())
    assert done == ["urgent"]


def test_it_rests_before_a_piece_as_long_as_it_is_told_to() -> None:
    async def work() -> tuple[list[int], list[tuple[int, bool]]]:
        planted, left, done_then = Planted(3), [0.001, 0.001], list[int]()

        def rest() -> float:
            done_then.append(len(planted.done))
            return left.pop() if left else 0.0

        background = Background(planted.next_piece, lambda: None, planted.failed.append, rest=rest)
        background.begin()
        await background.finished()
        return done_then, planted.done

    asked, done = asyncio.run(work())
    assert asked == [0, 0, 0]
    assert done == [(3, False)]


def test_an_urgent_piece_does_not_wait_for_the_end_of_a_rest() -> None:
    async def work() -> list[str]:
        done, urgent, left = list[str](), list[Callable[[], None]](), [lambda: done.append("next")]
        background = Background(
            lambda: left.pop() if left else None,
            lambda: None,
            lambda error: done.append(repr(error)),
            urgent=lambda: urgent.pop() if urgent else None,
            rest=lambda: 0.0 if done else 0.001,  # as long as nothing is done
        )
        background.begin()
        await asyncio.sleep(0.01)
        assert done == []
        urgent.append(lambda: done.append("urgent"))
        background.begin()
        await background.finished()
        return done

    assert asyncio.run(work()) == ["urgent", "next"]


def test_what_another_thread_did_during_a_rest_is_shown() -> None:
    async def work() -> list[str]:
        is_known, told = [False], list[str]()

        def rest() -> float:
            if is_known[0]:
                return 0.0
            is_known[0] = True  # by another thread
            return 0.001

        background = Background(
            lambda: None if is_known[0] else lambda: told.append("looked up"),
            lambda: told.append("shown"),
            lambda error: told.append(repr(error)),
            rest=rest,
        )
        background.begin()
        await background.finished()
        return told

    assert asyncio.run(work()) == ["looked up", "shown"]
