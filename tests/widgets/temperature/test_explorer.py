"""Does the temperature panel show what the analyses say, and follow its traits, its sliders and clicks?"""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.analysis.temperature.view import SWEEP_TOKENS
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import FSQConfig, LGQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.widgets import TemperatureExplorer
from lgq_explore.widgets.parts.work.background import Abandoned
from lgq_explore.widgets.temperature.explorer import TOKEN_MAP, VIEWS
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    recipe = TrainConfig(
        data="fake",
        batch_size=4,
        steps=6,
        log_steps=1,
        snapshot_steps=3,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=LGQConfig(codebook_size=16),
    )
    return lgq.train(recipe, tmp_path_factory.mktemp("runs") / "lgq", progress=False)


def drawn(panel: TemperatureExplorer, name: str) -> Any:
    """A chart as the page gets it; a view's is shown for it."""
    if name in VIEWS.values():
        panel.view = name
    return json.loads(panel.charts.figures[name])


def click(panel: TemperatureExplorer, figure: str, *codes: int) -> None:
    panel.charts._handle_custom_msg({"figure": figure, "codes": list(codes), "mode": "replace"}, [])


def test_a_state_that_is_come_back_to_is_drawn_by_the_same_figures(run: Run) -> None:
    explorer = TemperatureExplorer(run)
    snapshot, before = explorer.snapshot, explorer.draw()
    explorer.snapshot = explorer.steps[0]
    others = explorer.draw()
    assert all(figure is not before[name] for name, figure in others.items())
    explorer.snapshot = snapshot
    assert all(figure is before[name] for name, figure in explorer.draw().items())


def test_it_opens_on_the_temperature_training_ended_with_and_the_newest_codebook(run: Run) -> None:
    panel = TemperatureExplorer(run)
    ended = run.history()["temperature"].iloc[-1]
    assert panel.temperature == pytest.approx(ended, rel=1e-6)
    assert panel.snapshot == 6
    assert list(panel.charts.figures) == ["sweep", "decided", TOKEN_MAP]
    views = analysis.temperature.TemperatureViews(lgq.study(run))
    assert panel.frame().equals(views.at(panel.temperature).tokens)
    summary = panel.summary()
    assert summary["tokens"] == len(panel.frame())
    assert summary["effective_codes"] == pytest.approx(math.exp(panel.frame()["entropy"].mean()))
    assert summary["training ended"] == ended
    assert f"{summary['effective_codes']:.3g} effective codes" in panel.foot.line
    assert run.path.name in panel.caption()
    assert "seed 0" in panel.caption()


def test_a_temperature_changes_the_soft_pictures_and_the_distributions_and_no_hard_picture(run: Run) -> None:
    panel = TemperatureExplorer(run, temperature=0.01)
    before = [drawn(panel, name)["data"] for name in ("decided", "pictures")]
    panel.temperature = 5.0
    after = [drawn(panel, name)["data"] for name in ("decided", "pictures")]
    pictures = [{row["name"]: row["source"] for row in rows} for _, rows in (before, after)]
    assert pictures[0]["hard"] == pictures[1]["hard"]
    assert pictures[0]["soft"] != pictures[1]["soft"]
    assert before[0] != after[0]
    assert panel.summary()["effective_codes"] > 2


def test_slider_and_trait_follow_each_other(run: Run) -> None:
    panel = TemperatureExplorer(run)
    panel.temperature = 0.137
    assert panel.temperature == 0.137
    slider, box = panel.inputs["temperature"].children
    assert (slider.value, box.value) == (0.126, "0.137")
    panel.inputs["temperature"].value = panel.offered_temperatures[-1]
    assert panel.temperature == panel.offered_temperatures[-1]
    panel.inputs["snapshot"].value = 3
    assert panel.snapshot == 3
    assert "changed their code since step 0" in panel._message.value
    panel.inputs["token"].value = 5
    assert panel.token == 5
    panel.token = 7
    assert panel.inputs["token"].value == 7


def test_a_snapshot_answers_with_its_own_codebook(run: Run) -> None:
    panel = TemperatureExplorer(run, snapshot=0, temperature=1.0)
    views = analysis.temperature.TemperatureViews(lgq.study(run), 0)
    assert np.array_equal(panel.frame()["code"], views.at(1.0).tokens["code"])
    assert "codebook of step 0, encoder and decoder of step 6" in panel.caption()


def test_a_click_on_the_map_chooses_a_token_and_one_on_a_bar_a_code(run: Run) -> None:
    panel = TemperatureExplorer(run, temperature=0.1)
    click(panel, TOKEN_MAP, 17)
    assert panel.token == 17
    bars = drawn(panel, "shares")["data"][0]
    views = analysis.temperature.TemperatureViews(lgq.study(run))
    assert bars["x"] == [str(code) for code in views.top(17, 0.1)["code"]]
    click(panel, "shares", int(bars["x"][1]))
    assert panel.selection == [int(bars["x"][1])]
    panel.view = "pictures"
    click(panel, "pictures", 5)
    assert (panel.token, panel.selection) == (17, [int(bars["x"][1])])


def test_its_code_makes_it_again(run: Run) -> None:
    panel = TemperatureExplorer(run, temperature=0.137, snapshot=3, token=9, selection=[4])
    again = eval(panel.code(), {"lgq": lgq})
    assert (again.temperature, again.snapshot, again.token, again.selection) == (0.137, 3, 9, [4])
    assert again.code() == panel.code()
    assert repr(again) == f"TemperatureExplorer({run.path.name})"


def test_it_leaves_a_picture_of_itself(run: Run) -> None:
    panel = TemperatureExplorer(run)
    assert panel.still()["image/png"].startswith(b"\x89PNG")


def test_neighbouring_temperatures_are_made_ready_while_nobody_moves(run: Run) -> None:
    async def wait() -> TemperatureExplorer:
        panel = TemperatureExplorer(run, temperature=0.1)
        await panel.ready()
        return panel

    panel = asyncio.run(wait())
    place = panel.offered_temperatures.index(0.1)
    assert all(panel._views.is_known(near) for near in panel.offered_temperatures[place - 5 : place + 6])
    assert not panel._views.is_known(panel.offered_temperatures[0])


def test_the_snapshots_beside_the_present_one_are_made_ready_too(run: Run) -> None:
    async def wait() -> TemperatureExplorer:
        panel = TemperatureExplorer(run, temperature=0.1, snapshot=3)
        await panel.ready()
        return panel

    panel = asyncio.run(wait())
    assert panel.steps == [0, 3, 6]
    for step in panel.steps:
        assert panel._views_of(step).is_prepared
        assert panel._views_of(step).is_known(0.1)


@pytest.mark.slow
def test_pictures_are_decoded_where_they_are_shown_alone(run: Run) -> None:
    async def look(view: str) -> bool:
        panel = TemperatureExplorer(run, temperature=0.1, view=view)
        await panel.ready()
        near = panel.offered_temperatures[panel.offered_temperatures.index(0.1) + 1]
        return panel._views.is_reconstructed(near)

    assert [asyncio.run(look(view)) for view in ("decided", "shares", "pictures")] == [False, False, True]


def detail(panel: TemperatureExplorer) -> str:
    """What the title of the drawn distributions says."""
    return str(drawn(panel, "decided")["layout"]["title"]["text"])


async def until_drawn(panel: TemperatureExplorer, tokens: int) -> None:
    async with asyncio.timeout(60):
        while f"N = {tokens:,d} tokens" not in detail(panel):
            await asyncio.sleep(0.01)


def test_a_temperature_that_is_not_ready_is_previewed_and_followed_by_the_whole(run: Run) -> None:
    async def move() -> None:
        panel = TemperatureExplorer(run, temperature=0.1)
        whole = len(panel._views.sample)
        assert whole > SWEEP_TOKENS
        await panel.ready()
        await until_drawn(panel, whole)
        panel.temperature = 7.3
        await until_drawn(panel, SWEEP_TOKENS)
        assert f"{SWEEP_TOKENS} of them (all {whole:,d} follow)" in panel.caption()
        assert panel.summary()["tokens"] == whole
        await until_drawn(panel, whole)
        assert "follow" not in panel.caption()

    asyncio.run(move())


def test_a_preview_is_followed_though_somebody_else_asked_for_the_whole(run: Run) -> None:
    """A display does, for its picture."""

    async def show() -> None:
        panel = TemperatureExplorer(run, temperature=0.1)
        assert "follow" in panel.caption()
        panel.figure()
        await until_drawn(panel, len(panel._views.sample))

    asyncio.run(show())


def test_a_snapshot_is_prepared_beside_the_loop_and_the_charts_say_that_they_are_old(run: Run) -> None:
    async def turn() -> None:
        panel = TemperatureExplorer(run, temperature=0.1)
        await panel.ready()
        assert not panel.charts.stale
        before = drawn(panel, "sweep")
        panel.snapshot = 0
        async with asyncio.timeout(60):
            while not panel.charts.stale:
                await asyncio.sleep(0.005)
        assert drawn(panel, "sweep") == before
        assert "Not up to date yet: what the codebook of step 0 does is computed" in panel._message.value
        await panel.ready()
        assert not panel.charts.stale
        assert drawn(panel, "sweep") != before

    asyncio.run(turn())


def test_a_snapshot_that_nobody_waits_for_is_given_up(run: Run) -> None:
    panel = TemperatureExplorer(run)
    with pytest.raises(Abandoned):
        panel._prepare(0)  # step 6 is shown
    assert not panel._views_of(0).is_prepared


def test_a_study_without_a_run_has_one_codebook_and_no_marks_of_training() -> None:
    panel = TemperatureExplorer(study_of(method_tokenizer("lgq"), noise_pictures(4)))
    assert (panel.steps, "snapshot" in panel.inputs) == ([0], False), "there is nothing to choose"
    assert "training ended" not in panel.summary()
    assert "without a run" in panel.caption()


def test_what_cannot_be_shown_is_refused_in_a_sentence(run: Run, recipe: TrainConfig) -> None:
    panel = TemperatureExplorer(run)
    with pytest.raises(InputError, match=r"temperature is 0\.0: give a positive number"):
        panel.temperature = 0.0
    with pytest.raises(InputError, match="snapshot is 5: choose one of 0, 3, 6"):
        panel.snapshot = 5
    with pytest.raises(InputError, match="code 16 is outside 0 … 15"):
        panel.selection = [16]
    assert panel.selection == []
    with pytest.raises(InputError, match="token is 1000000: give a whole number from 0 to 383"):
        panel.token = 10**6
    grid = lgq.train(replace(recipe, quantizer=FSQConfig(), loss_weights={}), progress=False)
    with pytest.raises(InputError, match="fsq chooses its codes without a temperature"):
        TemperatureExplorer(grid)
