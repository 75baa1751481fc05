"""Is something that changes drawn again when it rests, often enough while it does not, and beside the kernel's loop?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from itertools import pairwise

import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.parts.frame import renewal
from lgq_explore.widgets.parts.frame.renewal import LONGEST_SECONDS, QUIET_SECONDS, Renewal


class Clock:
    """Time that passes only while somebody sleeps."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 1000.0
        self._sleep = asyncio.sleep
        monkeypatch.setattr(renewal, "perf_counter", lambda: self.now)
        monkeypatch.setattr(asyncio, "sleep", self.pass_time)
        self.wakes: list[tuple[float, asyncio.Event]] = []

    async def pass_time(self, seconds: float) -> None:
        """The sleeper that is due first moves the clock, once nobody else has anything to do."""
        wake = asyncio.Event()
        self.wakes.append((self.now + seconds, wake))
        await wake.wait()

    async def run_until(self, end: float) -> None:
        while True:
            for _ in range(50):
                await self._sleep(0.001)
            due = min(self.wakes, key=lambda sleeper: sleeper[0], default=None)
            if due is None or due[0] > end:
                self.now = end
                return
            self.wakes.remove(due)
            self.now = max(self.now, due[0])
            due[1].set()


class Sketch:
    """Notes when and where it was drawn."""

    def __init__(self, clock: Clock) -> None:
        self.prepared_at: list[float] = []
        self.put: list[int] = []
        self.threads: set[threading.Thread] = set()
        self.draw: Callable[[], int] = lambda: len(self.prepared_at)
        self.clock = clock
        self.renewal = Renewal(self.prepare, self.put.append)

    def prepare(self) -> Callable[[], int]:
        self.prepared_at.append(self.clock.now)

        def drawn() -> int:
            self.threads.add(threading.current_thread())
            return self.draw()

        return drawn


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def test_it_draws_once_after_several_changes_when_they_have_come_to_rest(clock: Clock) -> None:
    async def change() -> Sketch:
        sketch, start = Sketch(clock), clock.now
        for moved in range(4):
            await clock.run_until(start + moved)
            sketch.renewal.changed()
        await clock.run_until(start + 100)
        return sketch

    sketch = asyncio.run(change())
    assert sketch.prepared_at == [1003.0 + QUIET_SECONDS]
    assert sketch.put == [1]
    assert threading.current_thread() not in sketch.threads


def test_while_changes_go_on_a_picture_is_never_older_than_the_longest_time(clock: Clock) -> None:
    async def change() -> Sketch:
        sketch, start = Sketch(clock), clock.now
        for moved in range(70):
            await clock.run_until(start + moved)
            await asyncio.to_thread(sketch.renewal.changed)
        await clock.run_until(start + 200)
        return sketch

    sketch = asyncio.run(change())
    first, *_, last = sketch.prepared_at
    assert first == 1000.0 + LONGEST_SECONDS
    assert [after - before for before, after in pairwise(sketch.prepared_at)] == [LONGEST_SECONDS] * 3
    assert last > 1069.0, "the last change is drawn, too"


def test_what_was_just_drawn_is_not_drawn_again_but_later_changes_are(clock: Clock) -> None:
    async def change() -> Sketch:
        sketch, start = Sketch(clock), clock.now
        sketch.renewal.changed()
        await clock.run_until(start + 1)
        sketch.renewal.drawn()
        await clock.run_until(start + 50)
        assert sketch.prepared_at == []
        sketch.renewal.changed()
        await clock.run_until(start + 100)
        return sketch

    assert asyncio.run(change()).prepared_at == [1050.0 + QUIET_SECONDS]


def test_what_fails_is_silent_and_the_next_change_is_drawn(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    async def change() -> Sketch:
        sketch, start = Sketch(clock), clock.now

        def fail() -> int:
            raise InputError("the run's folder is gone")

        sketch.draw = fail
        sketch.renewal.changed()
        await clock.run_until(start + 30)
        assert sketch.prepared_at
        assert sketch.put == []
        sketch.draw = lambda: 7
        sketch.renewal.changed()
        await clock.run_until(start + 100)
        return sketch

    assert asyncio.run(change()).put == [7]
    assert capsys.readouterr() == ("", "")


def test_in_a_script_nothing_is_drawn(clock: Clock) -> None:
    sketch = Sketch(clock)
    sketch.renewal.changed()
    assert sketch.prepared_at == []
