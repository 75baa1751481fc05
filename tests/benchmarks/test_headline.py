"""Tests of the registered comparison: its files, the preregistration, the list of photographs, and RESULTS.md."""

from __future__ import annotations

import math
import re
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.headline import protocol
from benchmarks.headline.__main__ import PAGE, main, write
from benchmarks.headline.cells import cells_in
from benchmarks.headline.figures import rate_distortion_png
from benchmarks.headline.hypotheses import compared
from benchmarks.headline.manifest import Entry, differences, entries, manifest, read_manifest
from benchmarks.headline.page import Results, page, read_results
from benchmarks.headline.tables import pilot_table
from benchmarks.headline.verdict import Outcome
from lgq_explore.errors import InputError
from lgq_explore.images.division import HELD_OUT, TRAINING, VALIDATION, Division
from lgq_explore.sweeps.cells import FINAL, cells_of
from lgq_explore.sweeps.folder import SweepFolder
from lgq_explore.sweeps.reading import read_sweep
from lgq_explore.sweeps.tuning import UNTUNED, recipe_of
from tests.benchmarks.planted_headline import FSQ, LGQ, Planted, summaries, summary

ROOT = Path(__file__).parents[2]
PREREGISTRATION = ROOT / "benchmarks" / "PREREGISTRATION.md"


def test_the_preregistration_says_the_numbers_of_the_file() -> None:
    rows = re.findall(r"^\| (.+?) \| (.+?) \|$", PREREGISTRATION.read_text(), re.MULTILINE)
    for fact in protocol.facts(protocol.registered_sweep()):
        assert fact in rows


def test_the_registered_sweep_is_what_was_decided() -> None:
    sweep = protocol.registered_sweep()
    expected = protocol.finals_by_kind(sweep)
    for method in ("lgq-paper", "lgq", "fsq", "simvq", "vq"):
        assert [expected[method, size] for size in (240, 1000, 4375)] == [3, 10, 10]
        assert len(sweep.methods[method].trials) == 6
    assert {"none", "kmeans"} <= set(sweep.methods)
    rates = [trial["learning_rate"] for method in sweep.methods.values() for trial in method.trials]
    assert max(rates) <= 1e-3
    recipe = sweep.recipe(sweep.methods["fsq"], 4375, {}, seed=0)
    assert (recipe.image_size, recipe.backbone.factor, recipe.batch_size, recipe.steps) == (64, 8, 32, 1500)
    assert recipe.backbone.channels == (16, 16, 32, 64)


def test_the_pilot_is_the_registered_recipe_on_validation_photographs_alone() -> None:
    pilot, registered = read_sweep(protocol.PILOT_FILE), protocol.registered_sweep()
    assert pilot.evaluation.split == VALIDATION
    assert registered.evaluation.split == HELD_OUT
    assert pilot.evaluation.has_features
    assert registered.evaluation.has_features
    cells = cells_of(pilot)
    assert {(cell.kind, cell.codebook_size) for cell in cells} == {(FINAL, 1000)}
    assert [len({cell.seed for cell in cells if cell.method.name == name}) for name in ("lgq", "fsq")] == [3, 3]
    for name in ("lgq", "fsq"):
        ours, theirs = (sweep.recipe(sweep.methods[name], 1000, {}, seed=0) for sweep in (pilot, registered))
        assert ours.recipe_hash == theirs.recipe_hash


def test_the_list_has_each_photograph_once_in_one_part() -> None:
    listed = read_manifest()
    parts = [entry.part for entry in listed]
    assert len({entry.photograph for entry in listed}) == len({entry.sha256 for entry in listed}) == 800
    assert [parts.count(part) for part in (TRAINING, VALIDATION, HELD_OUT)] == [479, 80, 240]


def test_a_list_is_of_files_and_tells_what_changed(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    for number in range(20):
        pixels = generator.integers(0, 256, (40, 40, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02d}.png")
    Image.fromarray(pixels[:4, :4]).save(tmp_path / "small.png")
    found = entries(tmp_path, 16, Division(0.1, 0.3, 0))
    parts = [entry.part for entry in found]
    assert [parts.count(part) for part in (TRAINING, VALIDATION, HELD_OUT, "unused")] == [12, 2, 6, 1]
    content = tmp_path / "manifest.csv"
    content.write_text(manifest(found))
    listed = read_manifest(content)
    assert (listed, differences(found, listed)) == (found, [])
    changed = [*listed[1:-1], Entry(listed[-1].photograph, "0", TRAINING), Entry("new.png", "1", TRAINING)]
    assert differences(found, changed) == [
        "00.png is not listed",
        "new.png is listed and missing",
        "small.png is another file than the listed one",
    ]


@pytest.mark.parametrize("outcome", list(LGQ))
def test_planted_cells_have_their_outcome_in_the_first_three_lines(outcome: str) -> None:
    results = Results.of(summaries(outcome), [])
    assert results.found["fsq"].verdict.outcome == outcome
    assert results.is_complete
    assert "fsq-rounding" not in {method for method, _ in results.cells}
    assert len(results.replicates) == 5
    text = page(results)
    assert f"against fsq, {outcome}: " in "".join(text.splitlines()[:3])
    assert ("it would take more" in text) == (
        Outcome.UNDECIDED in [one.verdict.outcome for one in results.found.values()]
    )
    for each in results.cells.values():
        assert f"`{each.portable_hash}`" in text


def test_the_ratio_of_fd_is_that_of_its_means() -> None:
    cells = cells_in(summaries("supported"))
    one = compared(cells, 4375)["fsq"]
    means = [float(np.mean(cells[method, 4375].values("fd"))) for method in ("lgq", "fsq")]
    assert one.evidence.log_fd.estimate == pytest.approx(math.log(means[0] / means[1]))
    assert one.evidence.log_fd.low < math.log(85 / 100) < one.evidence.log_fd.high
    assert one.evidence.active_ratio.estimate == pytest.approx(0.5, rel=0.02)
    assert one.perplexity.estimate == pytest.approx(2 ** (9.0 - 9.6), rel=0.02)
    assert one.evidence.above_curve is not None  # at 9 bits FSQ has 25 + (9 − 8)/1.6 dB
    assert one.evidence.above_curve.estimate == pytest.approx(26.2 - 25.625, abs=0.1)


def test_a_point_of_a_curve_is_the_mean_over_crops_that_stands_in_the_tables() -> None:
    found = summaries("supported")
    for each in found:
        for crops, row in enumerate(each["photographs"].values(), start=1):
            row["crops"] = crops
    one = cells_in(found)["lgq", 4375]
    assert one.point is not None
    assert one.point.means[1] == pytest.approx(one.by_seed("psnr_db").mean())
    assert one.point.means[1] != pytest.approx(one.values("psnr_db").mean(), abs=1e-3)


def test_an_undecided_hypothesis_says_what_it_would_take() -> None:
    one = compared(cells_in(summaries("undecided")), 4375)["fsq"]
    assert one.verdict.required is not None
    assert one.verdict.required.seeds is None or one.verdict.required.seeds > 10
    assert compared(cells_in(summaries("supported")), 4375)["fsq"].verdict.required is None


def test_some_cells_leave_the_verdict_open() -> None:
    two_seeds = Results.of(summaries("supported", seeds=2), [])
    assert not two_seeds.is_complete
    text = page(two_seeds)
    assert "**The verdict is open**: " in text.splitlines()[2]
    assert "Seeds come before sizes" in text
    assert two_seeds.found["fsq"].evidence.log_fd.low is None
    only_ours = [each for each in summaries("supported") if each["method"] == "lgq"]
    assert "The verdict is open" in page(Results.of(only_ours, []))


def test_no_cells_and_the_pilot_alone_make_a_page_too(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "headline").mkdir(parents=True)
    assert main([str(tmp_path)]) == 0
    assert "The verdict is open**: 0 of 136 registered cells" in (tmp_path / PAGE).read_text()
    folder = SweepFolder(tmp_path / "benchmarks" / "headline" / "pilot")
    folder.make(b"")
    for method, planted in (("lgq", LGQ["supported"]), ("fsq", FSQ[1000])):
        for seed in range(3):
            folder.save_summary(f"{method}{seed}", summary(method, 1000, seed, planted))
    assert write(tmp_path) == [tmp_path / PAGE]
    assert "| fsq and lgq, K = 1000 |" in (tmp_path / PAGE).read_text()


def test_the_pilot_says_when_more_is_needed() -> None:
    calm, wild = (
        cells_in(
            summary(method, 1000, seed, Planted(100, 25, 700, 8, spread))
            for method in ("lgq", "fsq")
            for seed in range(3)
        )
        for spread in (0.001, 0.2)
    )
    assert "enough" in pilot_table(calm)
    assert "more seeds or steps" in pilot_table(wild)


def test_cells_that_do_not_belong_together_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = (summary("lgq", 1000, seed, FSQ[1000]) for seed in (0, 1))
    with pytest.raises(InputError, match="lgq with 1000 codes has the recipes"):
        cells_in([one, {**other, "portable_hash": "another"}])
    with pytest.raises(InputError, match="on 2 different sets of crops"):
        cells_in([one, {**other, "evaluation_set": {"digest": "others"}}])
    featureless = [each for each in summaries("supported") if each["codebook_size"] == 4375]
    for row in featureless[0]["photographs"].values():
        row["fd"] = None
    with pytest.raises(InputError, match="has no fd of each photograph"):
        compared(cells_in(featureless), 4375)
    folder = SweepFolder(tmp_path / "benchmarks" / "headline" / "registered")
    folder.make(b"")
    (folder.summaries / "x.json").write_text("{}")
    assert main([str(tmp_path)]) == 2
    assert "is not a summary of a sweep" in capsys.readouterr().err


def test_the_figure_is_small() -> None:
    png = rate_distortion_png(cells_in(summaries("supported")))
    assert len(png) < 200_000
    assert Image.open(BytesIO(png)).width > 500


def test_the_committed_page_is_that_of_the_committed_summaries() -> None:
    assert (ROOT / PAGE).read_text() == page(read_results(ROOT / "benchmarks" / "headline"))


def test_the_page_counts_trials_and_says_when_no_summary_is_there() -> None:
    nothing = page(Results.of([], []))
    each = "lgq: 6, fsq: 6, simvq: 6, vq: 6, lgq-paper: 6"
    assert f"0 of 30 trials ({each})" in nothing
    assert "No cell has a summary yet." in nothing
    trial = summary("lgq", 4375, 10, FSQ[4375], kind="trial")
    some = page(Results.of([*summaries("supported"), trial], []))
    assert "136 of 136 cells" in some
    assert f"1 of 30 trials ({each})" in some
    assert "No cell has a summary yet." not in some


def test_the_readme_says_what_has_come_of_it() -> None:
    """While no cell is there, the README says so; then it has to say something else."""
    registered = list(SweepFolder(ROOT / "benchmarks" / "headline" / "registered").all_summaries())
    assert ("says what has come of it: nothing yet" in (ROOT / "README.md").read_text()) == (not registered)


@pytest.mark.parametrize("name", ["mechanism", "ablations"])
def test_exploratory_sweeps_leave_the_held_out_photographs_unseen(name: str) -> None:
    """They have the registered recipe, but for the width of the latents, and each of their recipes can be made."""
    sweep, registered = protocol.exploratory_sweep(name), protocol.registered_sweep()
    assert sweep.evaluation.split == VALIDATION
    assert sweep.tuning is None
    recipes = [recipe_of(cell, sweep, UNTUNED) for cell in cells_of(sweep)]
    assert len({recipe.recipe_hash for recipe in recipes}) == len(
        {(c.method.name, c.codebook_size) for c in cells_of(sweep)}
    )
    common = registered.recipe(registered.methods["fsq"], 1000, {}, seed=0)
    for recipe in recipes:
        for field in ("image_size", "split", "steps", "batch_size", "learning_rate", "final_learning_rate"):
            assert getattr(recipe, field) == getattr(common, field)
        assert recipe.backbone.channels == common.backbone.channels
