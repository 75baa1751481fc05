"""Does a panel draw what a trainer publishes, in its own thread, seldom enough, and to the end?"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from itertools import pairwise

import pytest

from lgq_explore.errors import InputError
from lgq_explore.widgets.panel import Panel
from lgq_explore.widgets.parts.work import follower
from lgq_explore.widgets.parts.work.follower import DRAWING_SHARE, POLL_SECONDS, Follower
from lgq_explore.widgets.parts.work.trainer_thread import State, TrainerThread


class Work(TrainerThread[str, str]):
    """Ends when it is told to, with an error if one is planted."""

    def __init__(self) -> None:
        super().__init__()
        self.done = threading.Event()
        self.fails_with: Exception | None = None

    def is_whole(self, result: str) -> bool:
        return result == "whole"

    def start(self) -> None:
        self.begin(self.work)

    def work(self) -> str:
        for _ in range(1000):
            if self.controls.stop_asked_for or self.done.wait(0.01):
                break
        else:
            raise TimeoutError("nobody has ended this work")
        if self.fails_with is not None:
            raise self.fails_with
        return "part" if self.controls.stop_asked_for else "whole"


class Watching(Panel):
    """A panel that notes what it was asked to draw."""

    def __init__(self) -> None:
        super().__init__([])
        self.work = Work()
        self.shown: list[tuple[State, str | None]] = []
        self.reported: list[str] = []
        self.renewed_after: list[int] = []
        self.drawn_in: set[threading.Thread] = set()
        self.follower = Follower[str](
            self,
            "panel",
            in_a_script="lgq.train",
            show=self.show,
            report=lambda error: self.reported.append(str(error)),
        )

    def start(self) -> None:
        self.follower.begin(self.work, self.work.start)

    def show(self) -> None:
        self.drawn_in.add(threading.current_thread())
        self.shown.append((self.work.state, self.work.newest()))

    def report(self, error: Exception) -> None:
        self.reported.append(str(error))

    async def pictures_renewed(self) -> None:
        self.renewed_after.append(len(self.shown))


@pytest.fixture
def panel() -> Iterator[Watching]:
    panel = Watching()
    yield panel
    panel.work.stop()
    panel.work.join()


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not holds():
            await asyncio.sleep(0.01)


def test_it_draws_what_is_new_and_once_more_at_the_end_and_then_renews_the_pictures(panel: Watching) -> None:
    async def follow() -> str:
        panel.start()
        assert panel.follower.is_training
        panel.work.publish("first")
        await until(lambda: (State.TRAINING, "first") in panel.shown)
        panel.work.publish("last")
        panel.work.done.set()
        return await panel.follower.finished()

    assert asyncio.run(follow()) == "whole"
    assert panel.shown[-1] == (State.FINISHED, "last")
    assert panel.renewed_after == [len(panel.shown)]
    assert panel.drawn_in == {threading.current_thread()}
    assert not panel.follower.is_training


def test_drawing_takes_a_quarter_of_the_time_at_most(panel: Watching, monkeypatch: pytest.MonkeyPatch) -> None:
    sleep, now, in_drawing = asyncio.sleep, 0.0, 10.0
    asked: list[float] = []

    async def pass_time(seconds: float) -> None:
        nonlocal now
        now += seconds
        asked.append(seconds)
        if len(panel.shown) == 8:
            panel.work.done.set()
            panel.work.join()
        await sleep(0)

    def draw_slowly() -> None:
        nonlocal now
        now += in_drawing
        panel.shown.append((panel.work.state, None))
        began.append(now - in_drawing)

    began: list[float] = []
    monkeypatch.setattr(follower, "perf_counter", lambda: now)
    monkeypatch.setattr(asyncio, "sleep", pass_time)
    panel.follower = Follower[str](panel, "panel", "lgq.train", draw_slowly, print)

    async def follow() -> None:
        panel.start()
        await panel.follower.finished()

    asyncio.run(follow())
    *while_training, _ = began
    gaps = [after - before for before, after in pairwise(while_training)]
    assert len(gaps) == 7
    assert gaps == pytest.approx([in_drawing / DRAWING_SHARE] * 7, abs=POLL_SECONDS)
    assert set(asked) == {POLL_SECONDS}  # the end is noticed at once, however long a drawing takes


def test_what_ended_the_work_is_raised_after_the_last_drawing(panel: Watching) -> None:
    async def follow() -> None:
        panel.work.fails_with = RuntimeError("no memory left")
        panel.work.done.set()
        panel.start()
        with pytest.raises(RuntimeError, match="no memory left"):
            await panel.follower.finished()

    asyncio.run(follow())
    assert panel.shown[-1][0] is State.FAILED


def test_an_interrupt_stops_the_work_waits_for_it_and_is_raised(panel: Watching) -> None:
    async def interrupt() -> None:
        panel.start()
        cell = asyncio.ensure_future(panel.follower.finished())
        await until(lambda: panel.shown)
        cell.cancel()
        with pytest.raises(asyncio.CancelledError):
            await cell

    asyncio.run(interrupt())
    assert panel.shown[-1][0] is State.STOPPED
    assert panel.work.result == "part"
    assert panel.renewed_after == [len(panel.shown)]


def test_work_goes_on_where_it_can_not_be_drawn_and_the_log_has_the_defect(panel: Watching) -> None:
    logged: list[object] = []

    async def draw_a_defect() -> str:
        def fail() -> None:
            raise ZeroDivisionError("in the drawing")

        asyncio.get_running_loop().set_exception_handler(lambda loop, context: logged.append(context["exception"]))
        panel.follower = Follower[str](panel, "panel", "lgq.train", fail, panel.report)
        panel.start()
        await until(lambda: panel.reported)
        assert panel.follower.is_training
        panel.work.done.set()
        return await panel.follower.finished()

    assert asyncio.run(draw_a_defect()) == "whole"
    assert set(panel.reported) == {"in the drawing"}
    assert {type(error) for error in logged} == {ZeroDivisionError}


def test_work_that_nobody_watches_any_more_is_stopped(panel: Watching) -> None:
    async def leave() -> None:
        panel.start()

    asyncio.run(leave())  # the end of the loop cancels whoever watches
    panel.work.join()
    assert panel.work.state is State.STOPPED


def test_what_cannot_begin_names_the_remedy(panel: Watching) -> None:
    async def follow() -> None:
        with pytest.raises(InputError, match=r"nothing is training here: call panel\.start\(\) first"):
            await panel.follower.finished()
        panel.start()
        with pytest.raises(InputError, match=r"training already: press Stop, or await panel\.finished\(\)"):
            panel.start()
        other = Watching()
        with pytest.raises(InputError, match="another panel is training"):
            other.start()
        assert not other.follower.is_training
        panel.follower.stop()
        assert await panel.follower.finished() == "part"

    with pytest.raises(InputError, match=r"panel\.start\(\) needs an event loop.*in a script use lgq\.train"):
        panel.start()
    assert panel.work.state is State.NEW
    asyncio.run(follow())


def test_a_click_in_another_thread_begins_in_the_loop_and_reports_what_is_wrong() -> None:
    async def click() -> Watching:
        panel = Watching()
        await asyncio.to_thread(panel.follower.clicked, panel.start)
        await until(lambda: panel.shown)
        await asyncio.to_thread(panel.follower.clicked, panel.start)
        await until(lambda: panel.reported)
        panel.follower.stop()
        await panel.follower.finished()
        return panel

    panel = asyncio.run(click())
    assert panel.drawn_in == {threading.current_thread()}
    (reported,) = panel.reported
    assert "training already" in reported


def test_a_click_where_no_loop_runs_is_reported(panel: Watching) -> None:
    panel.follower.clicked(panel.start)
    (reported,) = panel.reported
    assert "needs an event loop" in reported
