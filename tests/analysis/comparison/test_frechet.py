"""Is FD of groups that of their features, and its interval one that holds what was planted?"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from lgq_explore.analysis.comparison import (
    frechet_sizes,
    group_differences,
    group_numbers,
    group_ratios,
    run_numbers,
)
from lgq_explore.analysis.comparison.groups import GroupedRuns, grouped
from lgq_explore.analysis.comparison.measured_run import MeasuredRun
from lgq_explore.frames.comparison import PHOTOGRAPHS
from lgq_explore.metrics.frechet import frechet_distance, frechet_influence
from lgq_explore.runs.config import TrainConfig
from lgq_explore.runs.picture_features import PairedFeatures
from lgq_explore.statistics import ratio_interval
from tests.analysis.comparison.test_groups import row
from tests.analysis.runs_folder import GRID, SOFT
from tests.plots.filled_frames import filled

WIDTH, SEEDS = 6, range(5)

Vectors = NDArray[np.float64]


def run_of(
    recipe: TrainConfig, seed: int, images: Vectors, found: Vectors, digests: Sequence[str] = (), crops: int = 2
) -> MeasuredRun:
    """A run with these features; each photograph has as many crops, one after the other."""
    features = PairedFeatures(images.astype(np.float32), found.astype(np.float32))
    owner = np.repeat(np.arange(len(images) // crops), crops)
    names = digests or [f"{number:02d}" for number in range(len(images) // crops)]
    values = features.frechet_influence(owner).values
    rows = [{"digest": name, "crops": crops, "fd": value} for name, value in zip(names, values, strict=True)]
    name = f"{recipe.quantizer.method}-{seed}"
    method, size = recipe.quantizer.method, recipe.quantizer.size
    config = replace(recipe, seed=seed)
    return MeasuredRun(name, method, config, filled(PHOTOGRAPHS, rows), None, size, {}, features)


def drawn_pairs(
    generator: np.random.Generator, photographs: int, losses: Sequence[float]
) -> Iterator[tuple[Vectors, Vectors]]:
    """Pictures, two crops per photograph, and what is left of them by five seeds of methods that lose so much."""
    images = np.repeat(generator.normal(size=(photographs, WIDTH)), 2, axis=0)
    images += 0.5 * generator.normal(size=images.shape)
    hard = np.repeat(generator.normal(size=(photographs, WIDTH)), 2, axis=0)  # what all methods find hard
    for lost in losses:
        for _ in SEEDS:
            of_seed, rest = 0.1 * generator.normal(size=WIDTH), generator.normal(size=images.shape)
            yield images, images + lost * (1 + of_seed + 0.5 * hard + 0.5 * rest)


def drawn(photographs: int, more: float = 0.0, seed: int = 0) -> list[MeasuredRun]:
    """Two groups of five seeds on the same pictures, the second of which loses `more`."""
    pairs = drawn_pairs(np.random.default_rng(seed), photographs, (0.3, 0.3 + more))
    places = [(recipe, seed) for recipe in (SOFT, GRID) for seed in SEEDS]
    return [run_of(*place, *pair) for place, pair in zip(places, pairs, strict=True)]


def compared(photographs: int = 20, more: float = 0.0) -> GroupedRuns:
    return grouped(drawn(photographs, more))


def test_fd_of_a_group_is_the_mean_of_its_runs_with_an_interval() -> None:
    groups = compared()
    found = row(group_numbers(groups), group="lgq", number="fd")
    of_runs = [run.features.frechet_distance for run in groups.groups[0].runs if run.features]
    assert found["estimate"] == pytest.approx(np.mean(of_runs))
    assert found["spread"] == pytest.approx(np.std(of_runs, ddof=1))
    assert found["low"] < found["estimate"] < found["high"]
    assert (found["photographs"], found["seeds"], found["why"]) == (20, 5, "")


def test_fd_of_a_run_is_that_of_its_features_or_the_kept_one() -> None:
    compared = grouped(drawn(photographs=10))
    values = run_numbers(compared, ["fd"]).set_index("run")["value"]
    for group in compared.groups:
        for run in group.runs:
            assert values[run.name] == pytest.approx(run.frechet(compared.digests).mean())
    without = grouped([replace(run, features=None, kept={"fd": {"value": 7.0}}) for run in drawn(photographs=10)])
    assert set(run_numbers(without, ["fd"])["value"]) == {7.0}


def test_a_planted_ratio_is_found_at_its_size() -> None:
    """A shift alone has the distance of its square: twice the shift is four times FD."""
    generator = np.random.default_rng(0)
    images, runs = generator.normal(size=(40, WIDTH)), []
    for recipe, size in ((SOFT, 2.0), (GRID, 1.0)):
        runs += [run_of(recipe, seed, images, images + size * (1 + 0.05 * generator.normal())) for seed in SEEDS]
    found = row(group_ratios(grouped(runs)), number="fd")
    assert found["low"] < 4 < found["high"] < 5.5
    assert found["ratio"] == pytest.approx(4, rel=0.15)
    assert found["p_holm"] < 1e-3
    difference = row(group_differences(grouped(runs)), number="fd")
    assert difference["low"] < 3 * WIDTH < difference["high"]
    clear = row(group_ratios(compared(more=0.15)), number="fd")
    assert clear["high"] < 1


def test_equal_runs_have_the_ratio_1_inside_their_interval() -> None:
    runs = [run for run in compared().groups[0].runs for _ in range(2)]
    same = [
        replace(run, config=replace(GRID, seed=run.config.seed)) if odd % 2 else run for odd, run in enumerate(runs)
    ]
    found = row(group_ratios(grouped(same)), number="fd")
    assert (found["ratio"], found["low"], found["high"]) == (1, 1, 1)
    alike = row(group_ratios(compared()), number="fd")
    assert alike["low"] < 1 < alike["high"]
    assert alike["p_value"] > 0.05


@pytest.mark.parametrize("photographs", [8, 30])
def test_the_ratio_of_methods_that_are_alike_is_1_in_95_of_100_intervals(photographs: int) -> None:
    """Of either group as much is lost, so that the ratio is 1 whatever the bias of FD at this number."""
    generator, owner, held = np.random.default_rng(photographs), np.repeat(np.arange(photographs), 2), 0
    for _ in range(100):
        values = [
            frechet_influence(torch.from_numpy(images), torch.from_numpy(found), owner).values
            for images, found in drawn_pairs(generator, photographs, (0.3, 0.3))
        ]
        found = ratio_interval(values[:5], values[5:], paired_seeds=False)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 1 <= found.high
    assert 89 <= held <= 100


def test_few_seeds_or_photographs_have_points() -> None:
    runs = drawn(6)
    found = row(group_ratios(grouped(runs)), number="fd")
    assert math.isfinite(found["ratio"])
    assert math.isnan(found["low"])
    assert found["why"] == "An interval takes 8 photographs at least: here are 6."
    few = [run for run in drawn(20) if run.config.seed < 4]
    assert row(group_ratios(grouped(few)), number="fd")["why"].startswith("An interval takes 5 seeds")


def test_of_shared_photographs_fd_is_by_their_features_alone() -> None:
    generator = np.random.default_rng(0)
    images, digests = generator.normal(size=(24, WIDTH)), [f"{number:02d}" for number in range(12)]
    found = images + 0.3 * generator.normal(size=images.shape)
    turned = np.arange(24).reshape(12, 2)[::-1].ravel()
    fewer = run_of(SOFT, 0, images[:20], found[:20])
    more = run_of(GRID, 0, images[turned], found[turned], digests[::-1])
    groups = grouped([fewer, more])
    expected = frechet_distance(*(torch.from_numpy(each[:20].astype(np.float32)) for each in (images, found)))
    numbers = group_numbers(groups)
    for name in ("lgq", "fsq"):
        assert row(numbers, group=name, number="fd")["estimate"] == pytest.approx(expected)
    assert groups.values(groups.groups[0], "fd") == pytest.approx(groups.values(groups.groups[1], "fd"))
    # What a summary has kept is of all photographs of a run, and not of a part of them.
    kept = grouped([replace(run, features=None) for run in (fewer, more)])
    assert [kept.values(group, "fd") is None for group in kept.groups] == [False, True]
    assert row(group_numbers(kept), group="fsq", number="fd")["why"].startswith("Not every run was evaluated")
    assert group_ratios(kept).empty


def test_fd_falls_with_the_number_of_photographs() -> None:
    groups = compared(21)
    sizes = frechet_sizes(groups)
    assert sizes["group"].tolist() == ["lgq"] * 3 + ["fsq"] * 3
    of_first = sizes[sizes["group"] == "lgq"]
    assert of_first[["photographs", "crops", "sets"]].to_numpy().tolist() == [[5, 10, 4], [10, 20, 2], [21, 42, 1]]
    assert of_first["fd"].is_monotonic_decreasing
    whole = row(group_numbers(groups), group="lgq", number="fd")["estimate"]
    assert of_first["fd"].iloc[-1] == pytest.approx(whole)
    assert frechet_sizes(groups).equals(sizes)
    bare = grouped([replace(run, features=None) for group in groups.groups for run in group.runs])
    assert frechet_sizes(bare).empty
