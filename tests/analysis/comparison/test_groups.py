"""Are numbers of groups and their differences what is known by hand, and are the photographs those that all share?"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from lgq_explore.analysis.comparison import curve_differences, group_differences, group_numbers
from lgq_explore.analysis.comparison.groups import grouped
from lgq_explore.analysis.comparison.measured_run import MeasuredRun
from lgq_explore.errors import InputError
from lgq_explore.frames.comparison import PHOTOGRAPHS
from lgq_explore.metrics import code_usage
from lgq_explore.quantizers import QUANTIZERS, VQConfig
from lgq_explore.runs.config import TrainConfig
from tests.analysis.runs_folder import GRID, SOFT
from tests.plots.filled_frames import filled

DIGESTS = [f"{number:02d}" for number in range(12)]
SEEDS = range(5)


def measured(
    recipe: TrainConfig,
    seed: int,
    psnr: Sequence[float] | NDArray[np.float64],
    counts: NDArray[np.int64] | None = None,
    label: str = "",
    digests: Sequence[str] = DIGESTS,
    kept: dict[str, object] | None = None,
) -> MeasuredRun:
    photographs = filled(
        PHOTOGRAPHS,
        [
            {"photograph": f"{digest}.png", "digest": digest, "crops": 1 + place % 2, "psnr_db": value, "fd": math.nan}
            for place, (digest, value) in enumerate(zip(digests, psnr, strict=False))
        ],
    )
    config = replace(recipe, seed=seed)
    if counts is None and config.quantizer.has_codes:
        counts = np.tile(np.arange(1, 9), (len(photographs), 1))
    method = config.quantizer.method
    return MeasuredRun(
        f"{method}-{seed}", label or method, config, photographs, counts, config.quantizer.size, kept or {}
    )


def noise(seed: int, size: float = 0.5) -> NDArray[np.float64]:
    return 20 + size * np.random.default_rng(seed).standard_normal(len(DIGESTS))


def row(frame: pd.DataFrame, **where: str) -> pd.Series:
    for column, value in where.items():
        frame = frame[frame[column] == value]
    (found,) = (found for _, found in frame.iterrows())
    return found


def test_means_are_over_crops_and_seeds() -> None:
    runs = [measured(SOFT, 0, np.arange(12.0)), measured(SOFT, 1, np.arange(12.0) + 3)]
    found = row(group_numbers(grouped(runs)), number="psnr_db")
    crops = np.tile([1, 2], 6)
    assert found["estimate"] == pytest.approx(np.average(np.arange(12.0) + 1.5, weights=crops))
    assert found["spread"] == pytest.approx(3 / math.sqrt(2))
    assert (found["group"], found["seeds"], found["photographs"]) == ("lgq", 2, 12)
    assert math.isnan(found["low"])
    assert found["why"] == "An interval takes 5 seeds at least: here are 2."


def test_numbers_of_codes_are_those_of_all_tokens_and_vary_as_photographs_do() -> None:
    counts = np.random.default_rng(0).integers(0, 9, (12, 10))
    runs = [measured(SOFT, seed, noise(seed), counts + seed) for seed in SEEDS]
    numbers = group_numbers(grouped(runs))
    usages = [code_usage((counts + seed).sum(axis=0), 16) for seed in SEEDS]
    for number in ("active_codes", "perplexity", "entropy_bits", "gini"):
        found = row(numbers, number=number)
        assert found["estimate"] == pytest.approx(np.mean([getattr(usage, number) for usage in usages]))
    entropy, bits = (row(numbers, number=number) for number in ("entropy_bits", "bits_per_pixel"))
    assert entropy["low"] < entropy["estimate"] < entropy["high"]
    assert [bits[end] for end in ("estimate", "low", "high")] == pytest.approx(
        [entropy[end] / 16 for end in ("estimate", "low", "high")]
    )


def test_photographs_that_use_codes_alike_leave_no_doubt_of_the_entropy() -> None:
    found = row(group_numbers(grouped([measured(SOFT, seed, noise(0)) for seed in SEEDS])), number="entropy_bits")
    assert found["low"] == pytest.approx(found["estimate"]) == pytest.approx(found["high"])


def test_equal_groups_do_not_differ_and_a_planted_difference_is_found() -> None:
    same = [measured(recipe, seed, noise(seed)) for recipe in (SOFT, GRID) for seed in SEEDS]
    found = row(group_differences(grouped(same)), number="psnr_db")
    assert found["difference"] == 0
    assert found["low"] <= 0 <= found["high"]
    assert found["paired_seeds"]
    planted = same[:5] + [measured(GRID, seed, noise(seed) + 1 + 0.02 * noise(seed + 50)) for seed in SEEDS]
    found = row(group_differences(grouped(planted)), number="psnr_db")
    assert found["low"] <= -1.4 <= found["high"] < 0
    assert found["p_value"] == found["p_holm"] < 0.01


def test_p_values_are_corrected_for_all_pairs() -> None:
    other = replace(SOFT, quantizer=VQConfig(codebook_size=16), loss_weights={})
    runs = [measured(r, s, noise(s + 10 * n)) for n, r in enumerate((SOFT, GRID, other)) for s in SEEDS]
    found = group_differences(grouped(runs), ["psnr_db"])
    assert len(found) == 3
    smallest = found["p_value"].idxmin()
    assert found["p_holm"][smallest] == pytest.approx(min(1, 3 * found["p_value"][smallest]))


def test_only_photographs_of_all_runs_count_whatever_their_order() -> None:
    turned = measured(GRID, 0, np.arange(12.0)[::-1], digests=DIGESTS[::-1])
    fewer = measured(SOFT, 0, np.arange(10.0), digests=DIGESTS[:10])
    compared = grouped([fewer, turned])
    assert (compared.digests, compared.left_out) == (tuple(DIGESTS[:10]), 2)
    assert row(group_differences(compared), number="psnr_db")["difference"] == 0
    assert compared.values(compared.groups[1], "entropy_bits") is not None
    with pytest.raises(InputError, match="lgq-0 and fsq-0 were not measured on one common photograph"):
        grouped([fewer, measured(GRID, 0, np.arange(3.0), digests=["x", "y", "z"])])
    with pytest.raises(InputError, match="no runs"):
        grouped([])


def test_groups_are_named_by_what_tells_them_apart() -> None:
    small = replace(SOFT, quantizer=replace(SOFT.quantizer, codebook_size=8))
    slow = replace(SOFT, learning_rate=0.5)
    names = [group.name for group in grouped([measured(r, 0, noise(0)) for r in (SOFT, small, GRID)]).groups]
    assert names == ["lgq, K = 8", "lgq, K = 16", "fsq"]
    names = [group.name for group in grouped([measured(r, 0, noise(0)) for r in (SOFT, slow)]).groups]
    assert names == [f"lgq, K = 16 ({r.recipe_hash[:6]})" for r in (SOFT, slow)]
    named = [measured(SOFT, 0, noise(0), label="ours"), measured(slow, 0, noise(0), label="slow")]
    assert [group.name for group in grouped(named).groups] == ["ours", "slow"]


def test_repeated_seeds_count_once() -> None:
    runs = [
        measured(SOFT, 0, np.full(12, 20.0)),
        measured(SOFT, 0, np.full(12, 22.0)),
        measured(SOFT, 1, np.full(12, 30.0)),
    ]
    found = row(group_numbers(grouped(runs)), number="psnr_db")
    assert (found["estimate"], found["seeds"]) == (25.5, 2)


def test_what_was_not_measured_says_why() -> None:
    none = replace(SOFT, quantizer=QUANTIZERS["none"](), loss_weights={})
    fd = {"images": 18, "fd": {"value": 3.0, "features": "inception"}}
    other = {"images": 18, "fd": {"value": 3.0, "features": "other"}}
    numbers = group_numbers(
        grouped(
            [
                measured(none, 0, noise(0), kept=fd),
                measured(SOFT, 0, noise(0), kept=fd),
                measured(SOFT, 1, noise(0), kept=other),
            ]
        )
    )
    assert row(numbers, group="none", number="entropy_bits")["why"] == "The method has no codes."
    assert "Not every run was evaluated" in row(numbers, group="lgq", number="lpips")["why"]
    for group in ("none", "lgq"):  # one column of a table holds them
        assert "by other networks" in row(numbers, group=group, number="fd")["why"]
        assert math.isnan(row(numbers, group=group, number="fd")["estimate"])
    alike = group_numbers(grouped([measured(none, 0, noise(0), kept=fd), measured(SOFT, 0, noise(0), kept=fd)]))
    assert row(alike, group="none", number="fd")["estimate"] == 3.0
    assert "keeps no numbers of photographs" in row(alike, group="none", number="fd")["why"]
    fewer = fd | {"images": 9}
    uneven = group_numbers(grouped([measured(none, 0, noise(0), kept=fd), measured(SOFT, 0, noise(0), kept=fewer)]))
    assert "unequal numbers of crops" in row(uneven, group="none", number="fd")["why"]


def test_methods_with_several_sizes_are_compared_at_equal_bits() -> None:
    runs = []
    for recipe, gain in ((SOFT, 0.0), (GRID, 1.0)):
        for size in (4, 16):
            sized = replace(recipe, quantizer=recipe.quantizer.resized(size))
            counts = np.full((12, sized.quantizer.size), 8)
            psnr = [20 + gain + math.log2(sized.quantizer.size) + number / 10 for number in range(12)]
            runs += [measured(sized, seed, np.array(psnr) + seed / 100, counts) for seed in SEEDS]
    frame = curve_differences(grouped(runs))
    assert len(frame) == 2
    found = row(frame, at_equal="entropy_bits")
    assert found["difference"] == pytest.approx(-1)
    assert (found["from"], found["to"]) == pytest.approx((2, 4))
    saved = row(frame, at_equal="psnr_db")
    assert saved["difference"] == pytest.approx(1)
    assert curve_differences(grouped(runs[:10])).empty


def test_curves_that_do_not_overlap_say_so() -> None:
    runs = []
    for recipe, sizes in ((SOFT, (4, 8)), (GRID, (16, 64))):
        for size in sizes:
            sized = replace(recipe, quantizer=recipe.quantizer.resized(size))
            counts = np.full((12, sized.quantizer.size), 8)
            runs.append(measured(sized, 0, np.full(12, 20 + math.log2(sized.quantizer.size)), counts))
    frame = curve_differences(grouped(runs))
    assert frame["difference"].isna().all()
    assert "do not overlap" in frame["why"][0]
