"""Does the panel of a comparison say what the report does, follow its controls, and show names as text?"""

from __future__ import annotations

import asyncio
import html
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import lgq_explore as lgq
from lgq_explore.analysis.comparison import Comparison, at_equal_bits, compare, disagreement, findings, unfairness
from lgq_explore.analysis.comparison.at_equal_bits import shared_bits
from lgq_explore.errors import InputError
from lgq_explore.quantizers import VQConfig
from lgq_explore.runs.run import Run
from lgq_explore.training.loop import train
from lgq_explore.widgets import ComparisonExplorer, RunsTable
from lgq_explore.widgets.comparison.explorer import BY_GROUP, CROPS_CHART, CURVES, DIFFERENCES
from lgq_explore.widgets.parts.charts.widget import Picked
from tests.analysis.runs_folder import SOFT

HOSTILE = "<img src=x onerror=alert(1)>"
SMALL = replace(SOFT, quantizer=replace(SOFT.quantizer, codebook_size=4))
HARD = replace(SOFT, quantizer=VQConfig(codebook_size=16), loss_weights={})
CROPS = 6


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    noise = np.random.default_rng(0)
    for number in range(40):
        slope = np.linspace(0, noise.uniform(50, 200), 40)[:, None] + noise.uniform(0, 55, (40, 40, 3))
        Image.fromarray(slope.clip(0, 255).astype(np.uint8)).save(folder / f"{HOSTILE.replace('/', '')} {number}.png")
    return folder


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory, pictures: Path) -> dict[str, Run]:
    """Two sizes of a method with two seeds each, another method, and names that are markup."""
    folder = tmp_path_factory.mktemp("runs")
    recipes = {
        HOSTILE: SOFT,
        "soft-1": replace(SOFT, seed=1),
        "small-0": SMALL,
        "small-1": replace(SMALL, seed=1),
        "hard-0": replace(HARD, steps=2),
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LGQ_EXPLORE_DATA", str(tmp_path_factory.mktemp("data")))
        return {
            name: train(replace(recipe, data=f"folder:{pictures}"), folder / name, progress=False)
            for name, recipe in recipes.items()
        }


@pytest.fixture
def panel(runs: dict[str, Run]) -> ComparisonExplorer:
    return ComparisonExplorer(*runs.values(), crops=CROPS)


@pytest.fixture(scope="module")
def comparison(runs: dict[str, Run]) -> Comparison:
    return compare(runs.values(), crops=CROPS)


def text(part: str) -> str:
    return html.unescape(re.sub(r"<[^>]*>", "", part))


def said(panel: ComparisonExplorer) -> str:
    return text(panel._message.value)


def test_it_says_what_the_report_does(panel: ComparisonExplorer, comparison: Comparison) -> None:
    assert panel.group_names == ["lgq, K = 4", "lgq, K = 16", "vq"]
    words = text(panel._words.value)
    assert " ".join(findings(comparison)) in words
    unfair = unfairness(comparison.ledger_of_groups)
    assert len(unfair) > 1  # hard-0 has fewer steps
    assert all(sentence in words for sentence in unfair)
    assert f"All {len(comparison.ledger)} fields that were compared" in text(panel._beside.value)
    assert "An interval takes 8 photographs" in comparison.numbers["why"].iloc[0]
    assert "These numbers are points without intervals" in words
    assert "no intervals" in panel.charts.figures[BY_GROUP]


def test_a_comparison_that_is_made_already_is_shown_as_runs_are(
    panel: ComparisonExplorer, comparison: Comparison
) -> None:
    ready = ComparisonExplorer(comparison)
    assert (ready.code(), ready.caption(), ready.charts.figures) == (
        panel.code(),
        panel.caption(),
        panel.charts.figures,
    )
    with pytest.raises(InputError, match="give it alone"):
        ComparisonExplorer(comparison, comparison)


def test_a_folder_of_runs_and_that_of_a_sweep_are_taken_as_the_command_takes_them(
    panel: ComparisonExplorer, runs: dict[str, Run], tmp_path: Path
) -> None:
    folder = runs["soft-1"].path.parent
    of_folder = ComparisonExplorer(str(folder), crops=CROPS)
    assert of_folder.group_names == panel.group_names
    assert of_folder.code().startswith(f"lgq.widgets.ComparisonExplorer({str(folder)!r}, crops={CROPS}, ")
    sweep = planted_sweep(runs, tmp_path / "sweep")
    of_sweep = ComparisonExplorer(sweep, crops=CROPS)
    assert of_sweep.group_names == ["theirs", "ours"]
    assert "Tuning trials: 0 for theirs; 1 for ours." in text(of_sweep._words.value)
    assert "soft-1 has no weights yet and is left out." in said(of_sweep)
    assert repr(str(sweep)) in of_sweep.code()
    again = eval(of_sweep.code(), {"lgq": lgq})
    assert (again.code(), again.line(), again.charts.figures) == (
        of_sweep.code(),
        of_sweep.line(),
        of_sweep.charts.figures,
    )
    ready = compare(sweep, crops=CROPS)
    assert [group.name for group in ready.grouped.groups] == ["theirs", "ours"]
    shown = ComparisonExplorer(ready)
    assert shown.charts.figures == of_sweep.charts.figures
    assert shown.code().startswith("lgq.widgets.ComparisonExplorer(comparison, view=")


def planted_sweep(runs: dict[str, Run], folder: Path) -> Path:
    """The folder of a sweep with two final runs, a trial, and one that was not trained yet."""
    for name in ("hard-0", "small-0", "small-1", "soft-1"):
        shutil.copytree(runs[name].path, folder / "runs" / name)
    (folder / "runs" / "soft-1" / "weights.safetensors").unlink()
    (folder / "sweep.toml").write_text('methods = ["ours", "theirs"]\n')
    (folder / "summaries").mkdir()
    for name, summary in {
        "hard-0": {"kind": "final", "method": "theirs", "tuning": {"trials": []}},
        "small-0": {"kind": "final", "method": "ours", "tuning": {"trials": [{}]}},
        "small-1": {"kind": "trial", "method": "ours"},
    }.items():
        (folder / "summaries" / f"{name}.json").write_text(json.dumps(summary))
    return folder


def test_choosing_groups_and_seeds_changes_numbers_words_and_what_is_unfair(panel: ComparisonExplorer) -> None:
    panel.groups = ["lgq, K = 16", "lgq, K = 4"]
    assert panel.groups == ["lgq, K = 4", "lgq, K = 16"]
    assert "vq" not in text(panel._words.value).split("Settings")[0]
    assert "no condition differs between the runs" in text(panel._words.value)
    assert len(panel.comparison.runs) == 4
    panel.seeds = [1]
    assert set(panel.frame()["seed"]) == {1}
    figures = dict(panel.charts.figures)
    panel.groups = ["vq"]
    assert "none of the chosen groups has a run of the chosen seeds" in said(panel)
    assert panel.charts.figures == figures
    panel.seeds = [0]
    assert said(panel) == ""
    assert panel.line().startswith("PSNR (dB): vq ")
    with pytest.raises(InputError, match="no groups are chosen: choose at least one of lgq, K = 4"):
        panel.groups = []
    buttons = panel.inputs["groups"].children
    buttons[3].value = False  # the last one that is on
    assert (panel.groups, buttons[3].value) == (["vq"], True)
    assert "no groups are chosen: choose at least one of lgq, K = 4" in said(panel)
    panel.inputs["groups"].children[1].value = True
    assert panel.groups == ["lgq, K = 4", "vq"]


def test_the_cursor_reads_the_curves_at_equal_bits(panel: ComparisonExplorer, comparison: Comparison) -> None:
    panel.view = "numbers"
    low, high = panel.bits_ends
    assert low < panel.bits < high
    slider = panel.inputs["bits"]
    assert (slider.min, slider.max, slider.value) == (low, high, panel.bits)
    figure = panel.charts.figures[CURVES]
    slider.value = low
    assert panel.bits == low
    assert f'"x0":{low}' in panel.charts.marks[CURVES]
    assert panel.charts.figures[CURVES] == figure
    found = at_equal_bits(comparison.grouped, low).set_index("method")
    words = text(panel._beside.value)
    assert f"At {low:.3f} bits per token" in words
    assert f"{found.loc['lgq', 'psnr_db']:.2f} dB" in words
    assert "vq: It was trained with one codebook size: a curve takes two." in words
    with pytest.raises(InputError, match="bits is 40: give a number from"):
        panel.bits = 40
    panel.groups = ["vq"]
    assert "No method was trained with two codebook sizes" in said(panel)


def test_the_slider_follows_the_chosen_seeds_and_reads_as_the_words_do(panel: ComparisonExplorer) -> None:
    panel.view = "numbers"
    slider = panel.inputs["bits"]
    for seeds in ([0], [1], [0, 1]):
        panel.bits = panel.bits_ends[1]
        panel.seeds = seeds
        ends = shared_bits(panel.comparison.grouped)
        assert (slider.min, slider.max) == panel.bits_ends == pytest.approx(ends, abs=1e-3)
        assert slider.min <= slider.value == panel.bits <= slider.max
        assert f'"x0":{panel.bits}' in panel.charts.marks[CURVES]
        assert f"At {panel.bits:{slider.readout_format}} bits per token" in text(panel._beside.value)
        assert said(panel) == ""
    assert round(slider.step, 3) == slider.step  # each stop has the digits that are shown


def test_a_click_rings_the_same_run_in_all_charts_and_again_lets_it_go(panel: ComparisonExplorer) -> None:
    panel.view = "numbers"
    panel.pick(Picked(CURVES, [1]))  # the second run that is numbered
    assert panel.highlight == "lgq, K = 4, seed 1"
    assert all("circle-open" in marks for marks in panel.charts.marks.values())
    panel.pick(Picked(BY_GROUP, [1]))
    assert panel.highlight == ""
    assert not any("circle-open" in marks for marks in panel.charts.marks.values())
    panel.inputs["highlight"].value = "vq"
    assert "circle-open" in panel.charts.marks[BY_GROUP]


def test_pictures_are_those_of_the_rank_in_either_order(panel: ComparisonExplorer, runs: dict[str, Run]) -> None:
    panel.view = "pictures"
    panel.pair = ["lgq, K = 16", "vq"]
    frame = disagreement(lgq.study(runs[HOSTILE], crops=CROPS), lgq.study(runs["hard-0"], crops=CROPS))
    assert panel.frame().equals(frame)
    assert f"N = {CROPS:,d} crops" in panel.line()
    assert frame["photograph"][0] in panel.line()
    shown = panel.charts.figures[CROPS_CHART]
    assert shown.count(";base64,") == 5
    panel.inputs["rank"].value = 3
    assert panel.charts.figures[CROPS_CHART] != shown
    assert '"x0":3' in panel.charts.marks[DIFFERENCES]
    assert frame["photograph"][2] in panel.line()
    panel.order = "second"
    assert frame["photograph"].iloc[-3] in panel.line()
    panel.pick(Picked(DIFFERENCES, [CROPS]))
    assert panel.rank == CROPS
    with pytest.raises(InputError, match=f"rank is {CROPS + 1}"):
        panel.rank = CROPS + 1
    menus = panel.inputs["pair"].children
    menus[0].value = "vq"  # what the second was
    assert panel.pair == ["vq", "lgq, K = 16"]
    assert panel.frame()["difference"].tolist() == pytest.approx((-frame["difference"]).tolist())
    with pytest.raises(InputError, match="give two different ones of"):
        panel.pair = ["vq", "vq"]
    assert panel.still()["image/png"]


def test_pictures_say_that_they_are_of_one_seed_and_what_the_means_say(
    panel: ComparisonExplorer, comparison: Comparison
) -> None:
    panel.view, panel.pair = "pictures", ["lgq, K = 16", "lgq, K = 4"]
    title = text(json.loads(panel.charts.figures[DIFFERENCES])["layout"]["title"]["text"])
    assert "PSNR of lgq, K = 16 (seed 0 of 2) minus lgq, K = 4 (seed 0 of 2), N = 6 crops" in title
    assert title.endswith("one run of each group")
    assert "lgq, K = 16 (seed 0 of 2) minus lgq, K = 4 (seed 0 of 2) is" in panel.line()
    rows = comparison.differences[comparison.differences["number"] == "psnr_db"]
    gap = rows.set_index(["first", "second"]).loc[("lgq, K = 4", "lgq, K = 16"), "difference"]
    means = f"minus lgq, K = 4 is {-gap:+.2f} dB".replace("-", "\N{MINUS SIGN}")
    assert f"Over all chosen seeds, lgq, K = 16 {means}" in text(panel._beside.value)
    assert text(panel._beside.value).strip() in panel.caption()
    panel.seeds = [1]
    assert "lgq, K = 16 (seed 1 of 1) minus lgq, K = 4 (seed 1 of 1)" in text(panel._beside.value)


def test_a_group_that_is_off_is_not_shown_in_pictures(panel: ComparisonExplorer) -> None:
    panel.view, panel.pair = "pictures", ["lgq, K = 16", "vq"]
    panel.groups = ["lgq, K = 4", "lgq, K = 16"]
    assert list(panel.charts.figures) == [CROPS_CHART]
    assert "vq is switched off: switch it on above" in panel.charts.figures[CROPS_CHART]
    panel.pair = ["lgq, K = 4", "lgq, K = 16"]
    assert DIFFERENCES in panel.charts.figures
    panel.groups, panel.seeds = panel.group_names, [1]
    panel.pair = ["lgq, K = 16", "vq"]
    assert "vq has no run of the chosen seeds: switch on more seeds" in panel.charts.figures[CROPS_CHART]


def test_seeds_are_offered_in_their_order(runs: dict[str, Run]) -> None:
    offered = ComparisonExplorer(runs["small-1"], runs["small-0"], crops=CROPS).offered_highlights
    assert list(offered)[2:] == ["lgq, seed 0", "lgq, seed 1"]


def test_its_code_makes_it_again(panel: ComparisonExplorer) -> None:
    panel.view, panel.rank, panel.seeds, panel.pair = "pictures", 2, [0], ("vq", "lgq, K = 4")
    again = eval(panel.code(), {"lgq": lgq})
    assert (again.code(), again.line(), again.charts.figures) == (panel.code(), panel.line(), panel.charts.figures)


def test_names_are_text_and_no_markup(panel: ComparisonExplorer) -> None:
    parts = [panel._words.value, *panel.charts.figures.values()]
    panel.foot.is_open = True
    panel.view = "pictures"
    panel.rank = 2
    parts += [panel.foot.details, panel._message.value, *panel.charts.figures.values()]
    panel.view = "numbers"
    parts += [panel._beside.value, *panel.charts.figures.values()]
    assert not [part for part in parts if "<img" in part]
    assert "&lt;img" in panel.foot.details


def test_one_group_has_numbers_and_says_that_nothing_stands_beside(runs: dict[str, Run]) -> None:
    alone = ComparisonExplorer(runs["hard-0"], crops=CROPS)
    assert alone.pair is None
    assert alone.inputs.get("pair") is None
    alone.view = "pictures"
    assert "There is one group: give runs of another method" in alone.charts.figures[CROPS_CHART]
    assert alone.still()["image/png"]
    assert eval(alone.code(), {"lgq": lgq}).code() == alone.code()


def test_runs_that_don_t_compare_are_refused(runs: dict[str, Run], tmp_path: Path) -> None:
    other = train(replace(HARD, data="fake"), tmp_path / "other", progress=False)
    with pytest.raises(InputError, match="were not measured on one common photograph"):
        ComparisonExplorer(runs["soft-1"], other, crops=CROPS)
    with pytest.raises(InputError, match="no runs to compare"):
        ComparisonExplorer()
    with pytest.raises(InputError, match="is given twice"):
        ComparisonExplorer(other, other)
    with pytest.raises(InputError, match="is a study: give its run"):
        ComparisonExplorer(lgq.study(other))  # type: ignore[arg-type]
    with pytest.raises(InputError, match="pair is"):
        ComparisonExplorer(runs["soft-1"], runs["hard-0"], crops=CROPS, pair=("lgq", "nothing"))


def test_in_a_kernel_it_is_there_at_once_and_measures_meanwhile(runs: dict[str, Run]) -> None:
    async def opened() -> None:
        panel = ComparisonExplorer(*runs.values(), crops=CROPS, bits=0.01)
        assert panel.charts.figures == {}
        assert "the measurement of" in said(panel)
        assert panel.line() == "0 of 5 runs are measured"
        with pytest.raises(InputError, match="0 of 5 runs are measured: wait for the others"):
            panel.numbers()
        assert "1 of 5, is computed" in said(panel)
        panel.stop()
        await asyncio.sleep(0.1)
        assert "not computed: stopped" in said(panel)
        assert panel._stop_or_go_on.description == "Go on"
        await panel.ready()
        assert BY_GROUP in panel.charts.figures
        assert panel.bits == panel.bits_ends[0]  # as near as the curves go
        panel.view = "pictures"
        await panel.ready()
        assert CROPS_CHART in panel.charts.figures

    asyncio.run(opened())


def test_in_a_kernel_a_run_that_can_t_be_measured_is_left_out_and_said(runs: dict[str, Run], tmp_path: Path) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    for number in range(12):
        picture = np.random.default_rng(number).integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(picture).save(gone / f"{number}.png")
    bereft = train(replace(HARD, data=f"folder:{gone}", seed=7), tmp_path / "bereft", progress=False)
    shutil.rmtree(gone)

    async def opened() -> None:
        panel = ComparisonExplorer(runs["soft-1"], runs["small-0"], bereft, crops=CROPS)
        await panel.ready()
        assert "bereft can't be measured: the pictures that" in said(panel)
        assert len(panel.comparison.runs) == 2
        panel.view, panel.pair = "pictures", ["lgq, K = 4", "vq"]
        await panel.ready()
        assert "vq has no run that was measured" in panel.charts.figures[CROPS_CHART]

    asyncio.run(opened())


def test_with_features_it_has_fd_of_groups_and_runs(runs: dict[str, Run]) -> None:
    panel = ComparisonExplorer(runs["small-0"], runs["hard-0"], crops=CROPS, features=True, number="fd")
    numbers = panel.numbers().set_index(["group", "number"])["estimate"]
    of_runs = panel.frame().set_index(["group", "number"])["value"]
    for number in ("fd", "feature_error"):
        assert number in panel.offered_numbers.values()
        assert of_runs["lgq", number] == pytest.approx(numbers["lgq", number])
    assert panel.line().startswith("FD: lgq ")
    assert "has the lowest FD" in text(panel._words.value)
    assert panel.code().count("features=True, ") == 1
    assert ComparisonExplorer(panel.comparison, number="fd").code() == panel.code()
    without = ComparisonExplorer(runs["small-0"], runs["hard-0"], crops=CROPS)
    assert not {"fd", "feature_error"} & {*without.offered_numbers.values()}


def test_the_table_of_runs_opens_it(runs: dict[str, Run]) -> None:
    table = RunsTable(runs["soft-1"].path.parent)
    table.selection = [*runs]
    opened = table.open_in("ComparisonExplorer")
    assert isinstance(opened, ComparisonExplorer)
    assert opened.group_names == ["lgq, K = 4", "lgq, K = 16", "vq"]
