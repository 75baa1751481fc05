"""An explorer draws the newest values of its traits, says what is wrong, and writes itself as code."""

from __future__ import annotations

import asyncio
import html
import threading
from typing import Any

import matplotlib.figure
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch
import traitlets
from threadpoolctl import threadpool_limits

import lgq_explore
from lgq_explore.errors import InputError
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from lgq_explore.widgets import explorer as explorer_module
from lgq_explore.widgets.explorer import Explorer
from lgq_explore.widgets.parts.state.inputs import codes_box
from lgq_explore.widgets.parts.state.pieces import Codes
from lgq_explore.widgets.parts.studies import as_run, as_study, run_argument, study_argument, study_caption
from lgq_explore.widgets.parts.work.background import Piece, Work


class Squares(Explorer):
    """Draws the square of each number that is selected; even numbers are refused."""

    selection = Codes(100)

    def __init__(self, **state: Any) -> None:
        self.drawn: list[list[int]] = []
        super().__init__(**state)

    def draw(self) -> dict[str, go.Figure]:
        self.drawn.append(self.selection)
        if any(number % 2 == 0 for number in self.selection):
            raise InputError(f"{self.selection} has an even number:\ngive <odd> ones")
        return {"squares": go.Figure(go.Scatter(y=self.frame()["square"]))}

    def printed(self) -> matplotlib.figure.Figure:
        return matplotlib.figure.Figure()

    def frame(self) -> pd.DataFrame:
        return pd.DataFrame({"square": [number**2 for number in self.selection]})

    def summary(self) -> dict[str, int | float | str]:
        return {"numbers": len(self.selection)}

    def line(self) -> str:
        return f"N = {len(self.selection)} numbers"

    def caption(self) -> str:
        return f"squares of {len(self.selection)} numbers"

    def arguments_as_code(self) -> list[str]:
        return []

    def hint(self) -> str:
        return "" if self.selection else "Select a number."


class TypedSquares(Squares):
    """The same, with the numbers in a box."""

    selection = Codes(100, codes_box("numbers"))


class Numbers(Squares):
    """An explorer of one large number and one small one."""

    def summary(self) -> dict[str, int | float | str]:
        return {"tokens": 65_536, "entropy_bits": 7.123456789, "selected": "codes, by hand"}


def test_numbers_are_rounded_for_readers_alone() -> None:
    def saved(kind: str) -> str:
        return Numbers()._prepare_file(kind)().data.decode()

    (table,) = Numbers().tables()
    assert table[""].tolist() == ["65,536", "7.123", "codes, by hand"]
    lines = saved("numbers, CSV").splitlines()
    assert lines == ["number,value", "tokens,65536", "entropy_bits,7.123456789", 'selected,"codes, by hand"']
    assert r"entropy\_bits & 7.123 \\" in saved("numbers, LaTeX")


def text_of(explorer: Explorer) -> str:
    return f"{html.unescape(explorer._message.value)}\n{explorer.foot.line}"


def test_a_trait_redraws_the_charts_at_once_where_no_loop_runs() -> None:
    explorer = Squares()
    (before,) = explorer.charts.figures.values()
    explorer.selection = [3]
    (after,) = explorer.charts.figures.values()
    assert before != after
    assert explorer.drawn == [[], [3]]
    assert "N = 1 numbers" in text_of(explorer)


def test_many_moves_are_drawn_once_with_the_newest_value_where_a_loop_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(explorer_module, "PAUSE_SECONDS", 1.0)  # all moves are made in it, however slow the machine

    async def drag() -> Squares:
        explorer = Squares()
        for number in range(1, 41, 2):
            explorer.selection = [number]
            await asyncio.sleep(0)
        async with asyncio.timeout(60):
            while len(explorer.drawn) < 2:
                await asyncio.sleep(0.01)
        return explorer

    assert asyncio.run(drag()).drawn == [[], [39]]


def test_a_move_from_another_thread_is_drawn_on_the_loop() -> None:
    async def move() -> Squares:
        explorer = Squares()
        await asyncio.to_thread(setattr, explorer, "selection", [5])
        await asyncio.sleep(0.1)
        return explorer

    assert asyncio.run(move()).drawn == [[], [5]]


@pytest.mark.parametrize("mended", ["3", " 3,", "5"])
def test_what_was_wrong_in_an_input_is_said_until_it_is_mended(mended: str) -> None:
    explorer = TypedSquares(selection=[3])
    before = text_of(explorer)
    text = explorer.inputs["selection"].children[0]
    text.value = "3, three"
    assert "'three' chooses no codes: give numbers" in text_of(explorer)
    assert explorer.selection == [3]
    text.value = mended
    assert text_of(explorer) == before


def test_an_error_is_shown_and_leaves_what_was_drawn() -> None:
    explorer = Squares(selection=[3])
    drawn = explorer.charts.figures
    explorer.selection = [4]
    assert "give <odd> ones" in text_of(explorer)
    assert explorer.charts.figures == drawn
    explorer.selection = [5]
    assert "give" not in text_of(explorer)


def test_an_empty_panel_says_what_to_do() -> None:
    explorer = Squares()
    assert "Select a number." in text_of(explorer)
    explorer.selection = [3]
    assert "Select a number." not in text_of(explorer)


def test_the_code_makes_the_panel_again() -> None:
    explorer = Squares(selection=[3, 17])
    assert explorer.code() == "lgq.widgets.Squares(selection=[3, 17])"
    again = eval(explorer.code().removeprefix("lgq.widgets."))
    assert again.selection == [3, 17]
    assert explorer.foot.copied == {"copy code": explorer.code()}


def test_the_numbers_and_the_caption_are_made_when_somebody_unfolds_them() -> None:
    explorer = Squares(selection=[3])
    assert explorer.foot.details == ""
    explorer.foot.is_open = True
    assert "squares of 1 numbers" in explorer.foot.details
    explorer.selection = [3, 5]
    assert "squares of 2 numbers" in explorer.foot.details


class SlowSquares(Squares):
    """Computes its squares in the background, step by step, until it is told not to."""

    def __init__(self, **state: Any) -> None:
        self.computed_for: list[list[int]] = [[3]]
        self.may_end = threading.Event()
        super().__init__(**state)

    def missing(self) -> Work | None:
        wanted = self.selection
        return None if wanted in self.computed_for else Work("each square", lambda: self._compute(wanted))

    def _compute(self, wanted: list[int]) -> None:
        while not self.may_end.wait(0.001):
            self._background.require_wanted()
        self.computed_for.append(wanted)


def test_what_is_computed_in_the_background_can_be_stopped_and_taken_up_again() -> None:
    async def stop_and_go_on() -> None:
        explorer = SlowSquares(selection=[3])
        button = explorer._stop_or_go_on
        assert button.layout.display == "none"
        explorer.selection = [5]
        await asyncio.sleep(0.1)
        assert "each square is computed …" in text_of(explorer)
        assert (button.layout.display, button.description) == (None, "Stop")
        button.click()
        await explorer._background.finished()
        await asyncio.sleep(0.1)
        assert "Not up to date yet: each square is not computed: stopped." in text_of(explorer)
        assert explorer.charts.stale
        assert (button.layout.display, button.description) == (None, "Go on")
        assert explorer.drawn == [[3]]
        explorer.may_end.set()
        button.click()
        await asyncio.sleep(0.1)
        await explorer._background.finished()
        assert explorer.drawn == [[3], [5]]
        assert button.layout.display == "none"

    asyncio.run(stop_and_go_on())


def test_what_is_asked_for_after_a_stop_is_computed() -> None:
    async def stop_and_move() -> SlowSquares:
        explorer = SlowSquares(selection=[3])
        explorer.selection = [5]
        await asyncio.sleep(0.1)
        explorer.stop()
        await explorer._background.finished()
        explorer.may_end.set()
        explorer.selection = [7]
        await asyncio.sleep(0.1)
        await explorer._background.finished()
        return explorer

    assert asyncio.run(stop_and_move()).drawn == [[3], [7]]


class CountsThreads(Squares):
    """Notes in how many threads it may compute, when it draws and in the background."""

    def __init__(self, **state: Any) -> None:
        self.threads: dict[str, list[int]] = {"drawn": [], "ahead": []}
        self.computed_for: list[list[int]] = []
        super().__init__(**state)

    def draw(self) -> dict[str, go.Figure]:
        self.threads["drawn"].append(torch.get_num_threads())
        return super().draw()

    def ahead(self) -> Piece | None:
        return None if self.selection in self.computed_for else self._compute

    def _compute(self) -> None:
        self.threads["ahead"].append(torch.get_num_threads())
        self.computed_for.append(self.selection)


def test_what_is_moved_leaves_cores_to_the_page_that_draws() -> None:
    async def move() -> CountsThreads:
        explorer = CountsThreads(selection=[3])
        explorer.selection = [5]
        await explorer.ready()
        return explorer

    with threadpool_limits(limits=2, user_api="openmp"):
        threads = asyncio.run(move()).threads
    assert threads["drawn"][:2] == [2, 1]  # what it opens with may have all
    assert set(threads["ahead"]) == {max(1, torch.get_num_threads() // 2)}


def test_nothing_is_computed_ahead_while_the_page_draws(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter(range(3))  # the page draws until it was looked at so often

    async def move() -> tuple[float, list[list[int]]]:
        explorer = CountsThreads(selection=[3])
        at_first = explorer._rest()
        monkeypatch.setattr(explorer, "_rest", lambda: 0.001 if next(times, None) is not None else 0.0)
        monkeypatch.setattr(explorer._background, "_rest", explorer._rest)
        explorer.selection = [5]
        await explorer.ready()
        return at_first, explorer.computed_for

    at_first, computed_for = asyncio.run(move())
    assert 0 < at_first <= explorer_module.REST_SECONDS
    assert next(times, None) is None
    assert computed_for == [[5]]


def test_linked_panels_share_a_selection() -> None:
    one, other = Squares(), Squares()
    traitlets.link((one, "selection"), (other, "selection"))
    other.selection = [7]
    assert one.selection == [7]
    assert one.drawn[-1] == [7]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("data") / "runs" / "quick"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(path.parents[1]))
        return train(RECIPE, path)


RECIPE = TrainConfig(
    data="fake",
    batch_size=4,
    steps=2,
    backbone=lgq_explore.preset("tiny", "lgq").backbone,
    quantizer=lgq_explore.QUANTIZERS["fsq"].for_codebook_size(256),
)


def test_a_run_is_meant_by_itself_its_folder_or_its_name(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    assert as_run(trained) is trained
    assert as_run(trained.path).path == as_run(str(trained.path)).path == trained.path
    assert run_argument(trained) == repr(str(trained.path))
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(trained.path.parents[1]))
    assert as_run("quick").path == trained.path
    assert run_argument(trained) == "'quick'"
    with pytest.raises(InputError, match="slow is not a run folder"):
        as_run("slow")


def test_panels_of_one_run_share_its_study(trained: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LGQ_EXPLORE_DATA", str(trained.path.parents[1]))
    study = as_study(trained, crops=5)
    assert as_study(trained.path, crops=5) is as_study("quick", crops=5) is as_study(study) is study
    assert len(study.encoding) == 5
    caption = study_caption(study)
    assert f"N = {len(study.points):,d} tokens of 5 held-out crops" in caption
    assert "fsq, K = 240" in caption
    assert "run quick · seed 0 · step 2" in caption
    assert study_argument(study) == f"lgq.study({str(trained.path)!r}, crops=5)"
    assert study_argument(as_study(trained)) == "'quick'"
