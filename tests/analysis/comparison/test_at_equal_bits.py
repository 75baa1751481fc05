"""Are methods read off their curves at equal bits as known by hand, and is said where they can't be?"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from lgq_explore.analysis.comparison import at_equal_bits, curve_lines, group_numbers, run_numbers
from lgq_explore.analysis.comparison.at_equal_bits import shared_bits, why_no_bits
from lgq_explore.analysis.comparison.curves import method_curves
from lgq_explore.analysis.comparison.groups import GroupedRuns, grouped, in_groups
from lgq_explore.analysis.comparison.measured_run import MeasuredRun
from lgq_explore.errors import InputError
from lgq_explore.quantizers import QUANTIZERS, VQConfig
from lgq_explore.runs.config import TrainConfig
from tests.analysis.comparison.test_groups import DIGESTS, SEEDS, measured, noise, row
from tests.analysis.runs_folder import SOFT

VQ = replace(SOFT, quantizer=VQConfig(codebook_size=16), loss_weights={})
NONE = replace(SOFT, quantizer=QUANTIZERS["none"](), loss_weights={})


def sized(recipe: TrainConfig, size: int) -> TrainConfig:
    return replace(recipe, quantizer=replace(recipe.quantizer, codebook_size=size))


def of_bits(recipe: TrainConfig, bits: int, psnr: float, seed: int = 0) -> MeasuredRun:
    """A run whose tokens have 2 ** bits codes equally often, and as many decibels on each photograph."""
    counts = np.ones((len(DIGESTS), 2**bits), dtype=np.int64)
    return measured(sized(recipe, 2**bits), seed, [psnr] * len(DIGESTS), counts)


def two_methods(*more: MeasuredRun) -> GroupedRuns:
    """lgq has 2 bits + 10 dB from 2 to 4 bits; vq a decibel less, from 3 to 6."""
    runs = [of_bits(SOFT, bits, 10.0 + bits) for bits in (2, 3, 4)]
    return grouped([*runs, *(of_bits(VQ, bits, 9.0 + bits) for bits in (3, 5, 6)), *more])


def test_methods_are_read_where_both_are_known() -> None:
    compared = two_methods()
    assert shared_bits(compared) == pytest.approx((3, 4))
    assert why_no_bits(compared) == ""
    frame = at_equal_bits(compared, 3.5)
    assert row(frame, method="lgq")["psnr_db"] == pytest.approx(13.5)
    found = row(frame, method="vq")
    assert (found["psnr_db"], found["difference"], found["best"]) == pytest.approx((12.5, -1.0, "lgq"))
    assert math.isnan(row(frame, method="lgq")["difference"])
    assert found["why"] == "An interval takes 5 seeds at least: here are 1."


def test_what_has_no_curve_or_none_there_says_so() -> None:
    alone = of_bits(replace(SOFT, quantizer=QUANTIZERS["kmeans"]()), 3, 12.0)
    compared = two_methods(alone, measured(NONE, 0, [20.0] * 12))
    frame = at_equal_bits(compared, 5.5)
    assert list(frame["method"]) == ["lgq", "vq", "kmeans"]
    assert row(frame, method="lgq")["why"] == "Its curve goes from 2.00 to 4.00 bits per token."
    assert row(frame, method="kmeans")["why"] == "It was trained with one codebook size: a curve takes two."
    assert row(frame, method="vq")["best"] == "vq"
    assert set(curve_lines(compared)["method"]) == {"lgq", "vq"}


def test_curves_that_do_not_overlap_and_no_curves_are_told() -> None:
    apart = grouped([*(of_bits(SOFT, bits, 1.0 * bits) for bits in (1, 2)), *(of_bits(VQ, bits, 9) for bits in (3, 4))])
    assert shared_bits(apart) is None
    assert why_no_bits(apart) == (
        "The curves do not overlap, lgq from 1.00 to 2.00; vq from 3.00 to 4.00 bits per token: nothing can be "
        "compared at equal bits."
    )
    single = grouped([of_bits(SOFT, 3, 10.0)])
    assert shared_bits(single) is None
    assert why_no_bits(single).startswith("No method was trained with two codebook sizes")
    assert curve_lines(single).empty
    assert shared_bits(grouped([of_bits(SOFT, bits, 1.0 * bits) for bits in (1, 2)])) == pytest.approx((1, 2))


def test_with_enough_seeds_there_are_intervals() -> None:
    runs = []
    for recipe, above in ((SOFT, 1.0), (VQ, 0.0)):
        for size in (8, 16):
            for seed in SEEDS:
                counts = np.random.default_rng(seed).integers(1, 9, (12, size))
                runs.append(measured(sized(recipe, size), seed, above + size / 8 + noise(seed), counts))
    compared = grouped(runs)
    low, high = shared_bits(compared) or (0.0, 0.0)
    found = row(at_equal_bits(compared, (low + high) / 2), method="vq")
    assert found["difference"] == pytest.approx(-1)
    assert found["low"] < found["difference"] < found["high"]
    assert found["psnr_low"] < found["psnr_db"] < found["psnr_high"]


def test_curves_go_through_the_means_of_unequal_crops() -> None:
    """Photographs have one and two crops in turn."""
    runs = [measured(sized(SOFT, size), 0, np.arange(12.0) + size) for size in (8, 16)]
    compared = grouped(runs)
    (curve,) = method_curves(compared)
    means = group_numbers(compared, ["psnr_db"])["estimate"]
    assert sorted(curve.means[:, 1]) == pytest.approx(sorted(means))


def test_numbers_of_runs_are_what_those_of_groups_are_means_of() -> None:
    runs = [measured(SOFT, seed, noise(seed)) for seed in SEEDS] + [measured(NONE, 0, noise(9))]
    compared = grouped(runs)
    frame, means = run_numbers(compared), group_numbers(compared)
    for number in ("psnr_db", "active_codes", "entropy_bits"):
        of_group = frame[(frame["group"] == "lgq") & (frame["number"] == number)]
        assert of_group["value"].mean() == pytest.approx(row(means, group="lgq", number=number)["estimate"])
    assert list(of_group["seed"]) == [*SEEDS]
    assert math.isnan(row(frame, group="none", number="gini")["value"])


def test_some_groups_and_seeds_keep_the_photographs_of_all() -> None:
    fewer = measured(VQ, 0, noise(3)[:10], digests=DIGESTS[:10])
    compared = grouped([*(measured(SOFT, seed, noise(seed)) for seed in SEEDS), fewer])
    kept = compared.only(["lgq"], [1, 2])
    assert [group.seeds for group in kept.groups] == [(1, 2)]
    assert kept.digests == compared.digests == tuple(DIGESTS[:10])
    assert [group.name for group in compared.only(["lgq", "vq"], [3]).groups] == ["lgq"]
    with pytest.raises(InputError, match="none of the chosen groups has a run of the chosen seeds"):
        compared.only(["vq"], [3])


def test_groups_are_named_before_anything_is_measured() -> None:
    runs = [measured(sized(VQ, 8), 0, noise(0)), measured(SOFT, 0, noise(0)), measured(VQ, 1, noise(0))]
    assert list(in_groups(runs)) == [group.name for group in grouped(runs).groups] == ["vq, K = 8", "vq, K = 16", "lgq"]
