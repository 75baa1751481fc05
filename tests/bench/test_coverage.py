"""Tests of the benchmark of coverage, and of what its committed result says of the intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lgq_explore.bench.coverage import SHARES, RandomEffects, markdown_table, measure_coverage
from lgq_explore.bench.results import read_result
from lgq_explore.errors import InputError

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
NEWEST = sorted(RESULTS.glob("*-coverage.json"))[-1]


@pytest.mark.parametrize("skewed", [True, False])
@pytest.mark.parametrize("shares", SHARES)
def test_the_variance_of_the_mean_is_one(shares: str, skewed: bool) -> None:
    generator = np.random.default_rng(0)
    effects = RandomEffects.of_shares(SHARES[shares], 5, 8, skewed)
    means = [effects.drawn(generator, 5, 8).mean() for _ in range(4000)]
    assert np.var(means) == pytest.approx(1, abs=0.15)


def test_every_interval_is_measured_at_every_size() -> None:
    measured = measure_coverage(repetitions=100, seeds=[5], photographs=[8])
    assert len(measured["results"]) == 4 * len(SHARES)
    of_seeds = measured["results"][0]
    assert (of_seeds["interval"], of_seeds["seeds"], of_seeds["photographs"]) == ("mean", 5, 8)
    assert 0.8 < of_seeds["coverage"] <= 1
    assert "| mean, percentiles | the rest alone |" in markdown_table(measured)


def test_few_repetitions_are_refused() -> None:
    with pytest.raises(InputError, match="repetitions is 10: give at least 100"):
        measure_coverage(repetitions=10)


def test_intervals_cover_within_two_points_where_seeds_and_photographs_vary() -> None:
    """In the committed result; two standard errors are allowed for. Where the rest decides, they cover more."""
    for result in read_result(NEWEST, "coverage")["results"]:
        if result["interval"] in ("mean", "difference, independent seeds"):
            most = 0.97 if result["shares"] not in ("the rest", "the rest alone") else 1.0
            assert 0.93 - 2 * result["standard_error"] <= result["coverage"] <= most + 2 * result["standard_error"]
