"""Does the usage explorer show what the analysis says of its runs, follow its traits, and refuse what it can't show?"""

from __future__ import annotations

import asyncio
import html
import json
from dataclasses import replace
from pathlib import Path

import ipywidgets
import pytest
import traitlets
from PIL import Image

import lgq_explore as lgq
from lgq_explore import analysis
from lgq_explore.errors import InputError
from lgq_explore.plots import METHOD_COLOURS
from lgq_explore.quantizers import VQConfig
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from lgq_explore.widgets import CodeInspector, UsageExplorer, link
from lgq_explore.widgets.parts.charts.widget import Picked
from lgq_explore.widgets.usage.explorer import VIEWS
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of
from tests.analysis.runs_folder import plant_phases


@pytest.fixture
def runs(recipe: TrainConfig, tmp_path: Path) -> list[Run]:
    """Two runs of two methods over one data set."""
    vq = replace(recipe, quantizer=VQConfig(codebook_size=16), loss_weights={})
    return [train(recipe, tmp_path / "lgq"), train(vq, tmp_path / "vq")]


def figures_of(explorer: UsageExplorer) -> list[dict]:
    return [json.loads(text) for text in explorer.charts.figures.values()]


def said_by(explorer: UsageExplorer) -> str:
    return "\n".join(html.unescape(part.value) for part in descendants(explorer) if isinstance(part, ipywidgets.HTML))


def test_the_panel_shows_what_the_analysis_says(runs: list[Run]) -> None:
    explorer = UsageExplorer(*runs, hits=3, batch_images=2, window_tokens=1024)
    for explorer.view in VIEWS.values():
        usage_map, curves = figures_of(explorer)
        assert "Code usage of lgq" in usage_map["layout"]["title"]["text"]
        assert {METHOD_COLOURS["lgq"], METHOD_COLOURS["vq"]} <= {trace["line"].get("color") for trace in curves["data"]}
    for run, name in zip(runs, ("lgq", "vq"), strict=True):
        study = lgq.study(run)
        (numbers,) = analysis.usage.summary(study).to_dict("records")
        assert {explorer.summary()[f"{name} {number}"] for number in ("perplexity", "tokens", "chao2")} == {
            numbers[number] for number in ("perplexity", "tokens", "chao2")
        }
        counted = explorer.frame().query("run == @name")
        assert counted["count"].tolist() == analysis.usage.per_code(study)["count"].tolist()
        assert f"N = {numbers['tokens']:,d} tokens" in explorer.line()
    expected = analysis.usage.definitions(
        {name: lgq.study(run) for run, name in zip(runs, ("lgq", "vq"), strict=True)},
        batch_images=2,
        window_tokens=1024,
        hits=3,
    )
    assert explorer.frames.definitions.equals(expected)


def test_a_move_changes_the_definitions_and_nothing_else(runs: list[Run]) -> None:
    explorer = UsageExplorer(*runs, hits=1, view="definitions")
    before = explorer.charts.figures
    explorer.hits = 37  # not among those that the slider offers
    after = explorer.charts.figures
    assert [name for name in after if after[name] != before[name]] == ["definitions"]
    assert "at least 37 hits" in said_by(explorer)
    counts = analysis.usage.per_code(lgq.study(runs[1]))["count"]
    row = explorer.frames.definitions.query("run == 'vq' and definition == 'at least 37 hits'")
    assert row["codes"].item() == (counts >= 37).sum()


def test_sliders_and_traits_follow_each_other(runs: list[Run]) -> None:
    explorer = UsageExplorer(runs[0], hits=3)
    slider, box = explorer.inputs["hits"].children
    assert (slider.value, box.value) == (2, "3")
    slider.value = 10
    assert explorer.hits == 10
    explorer.hits = 7
    assert box.value == "7"
    assert explorer.hits == 7


def test_what_is_picked_in_the_map_is_selected_marked_and_linked(runs: list[Run]) -> None:
    explorer, other = UsageExplorer(*runs), UsageExplorer(runs[0])
    traitlets.link((explorer, "selection"), (other, "selection"))
    explorer.pick(Picked("map", [5, 9]))
    explorer.pick(Picked("ranks", [1]))
    assert explorer.selection == other.selection == [5, 9]
    (marks,) = json.loads(explorer.charts.marks["map"])["data"]
    assert (marks["x"], marks["y"]) == ([1, 1], [4, 8])
    assert "selection=[5, 9]" in explorer.code()


def test_another_run_in_the_map_forgets_the_selected_codes(runs: list[Run]) -> None:
    explorer = UsageExplorer(*runs, selection=[3])
    explorer.shown = "vq"
    assert explorer.selection == []
    assert "Code usage of vq" in figures_of(explorer)[0]["layout"]["title"]["text"]


def test_its_code_makes_the_panel_again(runs: list[Run]) -> None:
    explorer = UsageExplorer(*runs, shown="vq", hits=2, window_tokens=512, selection=[1, 4], crops=8)
    again = eval(explorer.code(), {"lgq": lgq})
    assert again.code() == explorer.code()
    assert again.charts.figures == explorer.charts.figures


def test_runs_of_one_method_are_told_apart_by_seed_then_by_folder(recipe: TrainConfig, tmp_path: Path) -> None:
    short = replace(recipe, steps=1)
    first, again = (train(short, tmp_path / name) for name in ("first", "again"))
    second = train(replace(short, seed=1), tmp_path / "second")
    assert repr(UsageExplorer(first, second)) == "UsageExplorer(lgq, seed 0, lgq, seed 1)"
    assert repr(UsageExplorer(first, again)) == "UsageExplorer(first, again)"
    with pytest.raises(InputError, match="first is given more than once: give each run once"):
        UsageExplorer(first, first)


def test_runs_in_folders_of_one_name_are_told_apart_by_the_folders_that_hold_them(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    short = replace(recipe, steps=1)
    runs = [train(short, tmp_path / day / "run") for day in ("monday", "_$tuesday$")]
    explorer = UsageExplorer(*runs, shown="_$tuesday$/run")
    assert repr(explorer) == "UsageExplorer(monday/run, _$tuesday$/run)"
    explorer.still()
    assert eval(explorer.code(), {"lgq": lgq}).shown == explorer.shown


def test_a_run_given_as_the_folder_one_stands_in_has_its_name(
    recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(replace(recipe, steps=1), tmp_path / "data" / "runs" / "mine")
    monkeypatch.chdir(tmp_path / "data" / "runs" / "mine")
    explorer = UsageExplorer(".")
    assert "run mine" in explorer.caption()
    assert explorer.code().startswith("lgq.widgets.UsageExplorer('mine', ")


def test_it_leaves_a_picture_and_a_name_that_stays(runs: list[Run]) -> None:
    bundle = UsageExplorer(*runs).still()
    assert bundle["text/plain"] == "UsageExplorer(lgq, vq)"
    assert bundle["image/png"].startswith(b"\x89PNG")


def test_nonsense_is_refused_and_leaves_what_was_drawn(runs: list[Run]) -> None:
    with pytest.raises(InputError, match="at least one"):
        UsageExplorer()
    with pytest.raises(InputError, match="shown is 'fsq': choose one of lgq"):
        UsageExplorer(runs[0], shown="fsq")
    explorer = UsageExplorer(runs[0])
    drawn = explorer.charts.figures
    with pytest.raises(InputError, match="code 16 is outside 0 … 15"):
        explorer.selection = [16]
    with pytest.raises(InputError, match="hits is 0: give a whole number of at least 1"):
        explorer.hits = 0
    with pytest.raises(TypeError, match="unexpected keyword argument 'hit'"):
        UsageExplorer(runs[0], hit=5)
    assert explorer.charts.figures == drawn


@pytest.mark.parametrize(
    ("view", "measure"), [("ranks", "share of the tokens, %"), ("definitions", "codes used, % of K")]
)
def test_the_printed_figure_is_the_chosen_view_beside_the_map(runs: list[Run], view: str, measure: str) -> None:
    explorer = UsageExplorer(*runs, view=view, selection=[3])
    codes, curve, bar = explorer.figure().axes
    assert (codes.get_title(loc="left"), bar.get_ylabel(), curve.get_ylabel()) == (
        "Code usage of lgq",
        "tokens",
        measure,
    )
    assert len(codes.patches) == 1
    assert len(explorer.figures()[0].axes) == 4, "a saved picture has no tabs"


def test_runs_counted_over_different_numbers_of_tokens_are_shown_and_not_ranked(
    recipe: TrainConfig, tmp_path: Path
) -> None:
    coarse_backbone = replace(recipe.backbone, channels=(8, 8, 8, 8))
    coarse = train(replace(recipe, steps=1, seed=1, backbone=coarse_backbone), tmp_path / "coarse")
    fine = train(replace(recipe, steps=1), tmp_path / "fine")
    explorer = UsageExplorer(fine, coarse)
    assert "different numbers of tokens" in said_by(explorer)
    assert "(of the first run)" in explorer.figure().get_suptitle()
    assert not any("rank by whole set" in name for name in explorer.summary())


def test_runs_at_different_gan_phases_are_told_in_the_panel_and_on_paper(tmp_path: Path) -> None:
    runs = plant_phases(tmp_path / "phases")
    explorer = UsageExplorer(runs / "after", runs / "plain")
    told = "These runs are at different GAN phases. after: 2 steps since it started; plain: no GAN."
    assert told in said_by(explorer)
    assert told in explorer.caption()
    assert told in " ".join(explorer.figure().get_suptitle().split())
    assert "GAN phases" not in said_by(UsageExplorer(runs / "after"))


def test_studies_of_other_pictures_and_of_tokenizers_without_a_run_are_shown(runs: list[Run]) -> None:
    crops = lgq.study(runs[0], "fake", crops=6)
    explorer = UsageExplorer(crops, runs[1], shown="lgq")
    assert "tokens of 6 crops from" in explorer.caption()
    again = eval(explorer.code(), {"lgq": lgq})
    assert again.charts.figures == explorer.charts.figures
    assert again.code() == explorer.code()
    planted = study_of(method_tokenizer("vq"), noise_pictures(4))
    without = UsageExplorer(planted, crops)
    assert repr(without) == "UsageExplorer(vq 1, lgq 1)"
    assert "vq, K = 64 · without a run · N = 64 tokens of 4 crops" in without.caption()
    assert without.arguments_as_code()[0] == "study"
    assert without.still()["image/png"]
    inspector = CodeInspector(planted)
    link(without, inspector)
    without.selection = [3]
    assert inspector.selection == [3]
    without.shown = "lgq 1"
    without.selection = [5]
    assert inspector.selection == [3]


def test_fast_moves_are_drawn_once(runs: list[Run]) -> None:
    async def slide() -> tuple[int, float]:
        explorer = UsageExplorer(runs[0], view="definitions")
        drawn = []
        explorer.charts.observe(lambda change: drawn.append(change["new"]), "figures")
        for hits in (2, 5, 10, 20):
            explorer.hits = hits
        await asyncio.sleep(0.5)
        return len(drawn), explorer.frames.definitions["codes"].iloc[3]

    times, codes = asyncio.run(slide())
    assert times == 1
    assert codes == (analysis.usage.per_code(lgq.study(runs[0]))["count"] >= 20).sum()


@pytest.fixture
def seeds(recipe: TrainConfig, tmp_path: Path) -> list[Run]:
    """Three runs of one recipe."""
    return [train(replace(recipe, steps=1, seed=seed), tmp_path / f"seed{seed}") for seed in range(3)]


def test_many_runs_are_counted_one_after_the_other_while_the_loop_is_free(
    seeds: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lgq_explore.widgets.usage.explorer.AT_ONCE", 1)

    async def look() -> tuple[str, UsageExplorer]:
        explorer = UsageExplorer(*seeds, selection=[3])
        begun = said_by(explorer)
        assert len(explorer.studies()) == 1
        assert explorer.code().startswith(
            f"lgq.widgets.UsageExplorer({', '.join(repr(str(run.path)) for run in seeds)}, "
        )
        await explorer.ready()
        return begun, explorer

    begun, explorer = asyncio.run(look())
    assert "1 of 3 runs are counted …" in begun
    assert "are counted" not in said_by(explorer)
    assert [study.run.config.seed for study in explorer.studies() if study.run] == [0, 1, 2]
    assert explorer.charts.figures == UsageExplorer(*seeds, selection=[3]).charts.figures


def test_numbers_asked_for_in_python_are_those_of_all_runs(seeds: list[Run], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lgq_explore.widgets.usage.explorer.AT_ONCE", 1)

    async def ask() -> UsageExplorer:
        explorer = UsageExplorer(*seeds)
        assert explorer.frame()["run"].unique().tolist() == ["lgq, seed 0", "lgq, seed 1", "lgq, seed 2"]
        assert "lgq, seed 2 perplexity" in explorer.summary()
        explorer.shown = "lgq, seed 2"
        return explorer

    assert asyncio.run(ask()).line().startswith("lgq, seed 2: ")


def test_a_run_that_can_t_be_counted_is_said_and_the_others_are_shown(
    seeds: list[Run], recipe: TrainConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lgq_explore.widgets.usage.explorer.AT_ONCE", 1)
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for number in range(4):
        Image.new("RGB", (40, 40), (60 * number, 0, 0)).save(pictures / f"{number}.png")
    gone = train(replace(recipe, steps=1, seed=7, data=f"folder:{pictures}"), tmp_path / "gone")
    (pictures / "0.png").unlink()

    async def look() -> UsageExplorer:
        explorer = UsageExplorer(seeds[0], gone, seeds[1])
        await explorer.ready()
        return explorer

    explorer = asyncio.run(look())
    assert f"lgq, seed 7 can't be counted: the pictures of folder:{pictures} are no longer those" in said_by(explorer)
    assert len(explorer.studies()) == 2
    with pytest.raises(InputError, match="are no longer those"):
        explorer.frame()
    explorer.shown = "lgq, seed 7"
    assert said_by(explorer).count("are no longer those") == 1
    explorer.shown = "lgq, seed 1"
    assert explorer.line().startswith("lgq, seed 1: ")


def test_what_it_keeps_of_a_run_are_codes_without_pictures(runs: list[Run]) -> None:
    explorer = UsageExplorer(*runs)
    for kept in explorer.studies():
        encoding = kept.encoding
        assert encoding.images.nbytes == encoding.reconstructions.nbytes == encoding.latents.nbytes == 0
        assert len(encoding) == len(lgq.study(runs[0]).encoding)


def descendants(widget: ipywidgets.Widget) -> list[ipywidgets.Widget]:
    children = getattr(widget, "children", ())
    return [*children, *(below for child in children for below in descendants(child))]
