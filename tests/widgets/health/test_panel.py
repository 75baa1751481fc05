"""Does the health panel say what the rules say, in words a reader can act on, and follow a run that goes on?"""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pandas as pd
import pytest
from PIL import Image

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.plots.health import STATE_LOOKS
from lgq_explore.quantizers import FSQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent, resume, train
from lgq_explore.widgets import HealthPanel
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of


@pytest.fixture
def runs(recipe: TrainConfig, tmp_path: Path) -> list[Run]:
    """Two runs of two methods; that of lgq has more codes than tokens in the window of usage."""
    many = replace(recipe, quantizer=replace(recipe.quantizer, codebook_size=2048))  # type: ignore[type-var]
    grid = replace(recipe, quantizer=FSQConfig(levels=(4, 4)), loss_weights={})
    return [train(many, tmp_path / "lgq"), train(grid, tmp_path / "fsq")]


def said_by(panel: HealthPanel) -> str:
    parts = [panel._message.value, panel._lines.value, panel.foot.details]
    return html.unescape(re.sub(r"<style>.*?</style>|<[^>]*>", " ", "\n".join(parts), flags=re.DOTALL))


def test_the_panel_says_what_the_rules_say(runs: list[Run]) -> None:
    panel = HealthPanel(runs[0])
    verdicts = analysis.health.assess(runs[0])
    for verdict in verdicts.itertuples():
        assert f"{verdict.rule}?" in said_by(panel)
        assert verdict.finding in said_by(panel)
        assert re.search(rf"{STATE_LOOKS[verdict.state].symbol}\s+{verdict.state}\s+{verdict.rule}", said_by(panel))
    advised = verdicts.loc[verdicts["settings"] != "", "settings"]
    assert len(advised)
    for options in advised:
        assert options in said_by(panel)
    (figure,) = (json.loads(text) for text in panel.charts.figures.values())
    curves = [trace for trace in figure["data"] if trace["mode"] == "lines+markers"]
    assert len(curves) == analysis.health.rule_curves(analysis.health.gather_evidence(runs[0]))["rule"].nunique() == 4


def test_the_start_of_a_gan_is_marked_on_its_curves_and_in_print(recipe: TrainConfig, tmp_path: Path) -> None:
    gan = {"start_step": 3, "layers": 1, "width": 4}
    weights = {**recipe.loss_weights, "gan": 0.1}
    panel = HealthPanel(
        train(replace(recipe, loss_weights=weights, objectives={"gan": gan}, warmup_steps=2), tmp_path / "gan")
    )
    (figure,) = (json.loads(text) for text in panel.charts.figures.values())
    curves = [trace for trace in figure["data"] if trace["mode"] == "lines+markers"]
    assert [shape["x0"] for shape in figure["layout"]["shapes"]] == [3] * len(curves)
    printed = [text.get_text() for axes in panel.figure().axes for text in axes.texts]
    assert printed.count("GAN starts") == len(curves)
    assert re.search("not applicable\\s+discriminator has won", said_by(panel)), "three steps are too few to tell"


def test_a_study_stands_for_its_run(runs: list[Run]) -> None:
    assert HealthPanel(lgq.study(runs[0], crops=4)).code() == HealthPanel(runs[0]).code()
    with pytest.raises(InputError, match="has no run"):
        HealthPanel(study_of(method_tokenizer("vq"), noise_pictures(4)))


def test_its_data_are_the_analysis_s(runs: list[Run]) -> None:
    panel = HealthPanel(*runs)
    expected = {name: analysis.health.assess(run) for name, run in zip(("lgq", "fsq"), runs, strict=True)}
    pd.testing.assert_frame_equal(panel.frame(), analysis.comparison.of_several_runs(expected))
    assert panel.summary()["lgq state"] == "trouble"
    assert panel.summary()["fsq soft–hard gap left at the end"] == "not applicable"
    assert panel.summary()["lgq held-out tokens"] == analysis.health.gather_evidence(runs[0]).held_out_tokens > 0
    assert "lgq, K = 2,048, D = 4, seed 0, step 6 of 6 · run lgq" in panel.caption()


def test_of_several_runs_one_is_told_in_words_and_all_in_the_overview(runs: list[Run]) -> None:
    panel = HealthPanel(*runs)
    assert re.search(r"✖\s+trouble\s+too few tokens for K\?.*✓\s+fsq", said_by(panel))
    (overview,) = panel.tables()
    assert overview.loc["too few tokens for K"].to_dict() == {"lgq": "trouble", "fsq": "fine"}
    assert "fixed grid" not in said_by(panel)
    (chosen,) = [part for part in panel.children[0].children if isinstance(part, ipywidgets.ToggleButtons)]
    chosen.value = "fsq"
    assert panel.shown == "fsq"
    assert "fixed grid" in said_by(panel)
    assert "soft–hard gap left at the end?" in said_by(panel)
    with pytest.raises(InputError, match="shown is 'vq': choose one of lgq, fsq"):
        panel.shown = "vq"


def test_all_advice_is_one_command_that_can_be_copied(runs: list[Run]) -> None:
    panel = HealthPanel(*runs)
    command, code = panel.foot.copied["copy command"], panel.foot.copied["copy code"]
    assert command == analysis.health.advised_command(runs[0], analysis.health.assess(runs[0]))
    assert "--set quantizer.usage_form=unbiased" in command
    assert eval(code, {"lgq": lgq}).code() == panel.code() == code


def test_a_panel_without_advice_offers_no_command(runs: list[Run]) -> None:
    panel = HealthPanel(runs[1])
    assert (panel.frame()["settings"] == "").all()
    assert panel.foot.copied == {"copy code": panel.code(), "copy command": ""}


def test_it_looks_again_at_a_run_that_went_on(recipe: TrainConfig, tmp_path: Path) -> None:
    controls = Controls()

    def stop(event: LogEvent) -> None:
        controls.stop()

    run = train(recipe, tmp_path / "run", controls=controls, on_log=stop)
    panel = HealthPanel(run)
    assert "Step 1 of 6." in said_by(panel)
    assert f"lgq-explore resume {run.path}" in said_by(panel)
    resume(run.path)
    (again,) = [part for part in panel.children[0].children if isinstance(part, ipywidgets.Button)]
    again.click()
    assert "all 6 steps were made" in said_by(panel)
    (run.path / "history.csv").write_text("step,loss\n1,much\n")
    again.click()
    assert "history.csv can't be used" in said_by(panel)
    assert "all 6 steps were made" in said_by(panel)


def test_in_a_notebook_it_looks_again_in_the_background_and_says_so(runs: list[Run]) -> None:
    async def look() -> HealthPanel:
        panel = HealthPanel(runs[0])
        await panel.ready()
        panel.look_again()
        assert "Not up to date yet: the evidence of lgq is computed" in said_by(panel)
        assert panel.charts.stale
        await panel.ready()
        assert "Not up to date" not in said_by(panel)
        (runs[0].path / "history.csv").write_text("step,loss\n1,much\n")
        panel.look_again()
        await panel._background.finished()
        return panel

    panel = asyncio.run(look())
    assert "history.csv can't be used" in said_by(panel)
    assert "too few tokens for K?" in said_by(panel)
    assert not panel.charts.stale


def test_in_a_notebook_runs_are_looked_at_one_after_the_other_and_each_is_shown_at_once(runs: list[Run]) -> None:
    async def look() -> HealthPanel:
        panel = HealthPanel(*runs)
        assert not panel.charts.figures
        assert "Nothing yet: the evidence of lgq is computed …" in said_by(panel)
        assert (panel.line(), panel.figures()) == ("", [])
        panel._gathering.attempt("lgq")  # as the background does
        panel._redraw()
        assert "1 of 2 runs are looked at …" in said_by(panel)
        assert "too few tokens for K?" in said_by(panel)
        assert panel.tables()[0].columns.tolist() == ["lgq"]
        panel.stop()
        await panel._background.finished()
        await asyncio.sleep(0.1)
        assert "1 of 2 runs are looked at; stopped." in said_by(panel)
        assert panel._stop_or_go_on.description == "Go on"
        panel.go_on()
        await panel.ready()
        assert "runs are looked at" not in said_by(panel)
        assert panel._stop_or_go_on.layout.display == "none"
        return panel

    panel = asyncio.run(look())
    assert panel.tables()[0].equals(HealthPanel(*runs).tables()[0])
    assert panel.charts.figures == HealthPanel(*runs).charts.figures


def test_one_run_that_can_t_be_looked_at_is_said_and_the_others_are_shown(runs: list[Run]) -> None:
    (runs[0].path / "history.csv").write_text("step,loss\n1,much\n")

    async def look() -> HealthPanel:
        panel = HealthPanel(*runs)
        await panel.ready()
        assert "history.csv can't be used" in said_by(panel)
        assert "history.csv can't be used" in panel.nothing_to_see()
        panel.shown = "fsq"
        await panel.ready()
        return panel

    panel = asyncio.run(look())
    assert "lgq can't be looked at: " in said_by(panel)
    assert panel.line().startswith("fsq: ")
    with pytest.raises(InputError, match=r"history\.csv can't be used"):
        panel.frame()


def test_a_picture_that_is_left_in_a_notebook_shows_the_run(runs: list[Run]) -> None:
    async def still() -> dict[str, object]:
        return HealthPanel(*runs).still()

    assert asyncio.run(still()) == HealthPanel(*runs).still()


def test_pictures_of_one_s_own_are_looked_at_though_those_of_training_are_gone(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    own, gone = tmp_path / "own", tmp_path / "gone"
    for folder, pictures in ((own, 3), (gone, 6)):
        folder.mkdir()
        for number in range(pictures):
            Image.new("RGB", (40, 72), (40 * number, 9, 200 - 40 * number)).save(folder / f"{number}.png")
    run = train(replace(recipe, data=f"folder:{gone}"), tmp_path / "mine")
    shutil.rmtree(gone)
    assert HealthPanel(run).summary()["lgq held-out tokens"] == 0
    panel = HealthPanel(run, data=f"folder:{own}", crops=2)
    study = lgq.study(run, f"folder:{own}", crops=2)
    assert panel.summary()[f"lgq tokens of folder:{own}"] == len(study.points) > 0
    assert f"N = {len(study.points)} tokens of folder:{own}." in panel.caption()
    assert panel.code().startswith(f"lgq.widgets.HealthPanel({str(run.path)!r}, crops=2, data='folder:{own}', ")
    again = eval(panel.code(), {"lgq": lgq})
    assert (again.code(), again.caption()) == (panel.code(), panel.caption())
    pd.testing.assert_frame_equal(again.frame(), panel.frame())
    pd.testing.assert_frame_equal(panel.frame().drop(columns="run"), analysis.health.assess(study))
    assert "held-out tokens" not in said_by(panel)
    with pytest.raises(InputError, match=r"there is no folder .*nowhere"):
        HealthPanel(run, data=f"folder:{tmp_path / 'nowhere'}")
    with pytest.raises(InputError, match="has its pictures already: give a run instead of a study"):
        HealthPanel(study, data="fake")


def test_it_leaves_a_picture_and_a_name_that_stays(runs: list[Run]) -> None:
    bundle = HealthPanel(*runs).still()
    assert bundle["text/plain"] == "HealthPanel(lgq, fsq)"
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_no_run_is_refused(runs: list[Run]) -> None:
    with pytest.raises(InputError, match="at least one"):
        HealthPanel()
    with pytest.raises(InputError, match="shown is 'vq'"):
        HealthPanel(runs[0], shown="vq")
