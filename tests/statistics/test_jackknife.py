"""Tests of the jackknife against its closed forms, and of the Fréchet distance by it."""

from __future__ import annotations

import numpy as np
import pytest

from lgq_explore.errors import InputError
from lgq_explore.statistics import jackknife, mean_interval


def test_of_a_mean_it_is_s_over_the_root_of_n() -> None:
    values = np.random.default_rng(0).normal(size=20)
    found = jackknife(lambda kept: values[kept].mean(), 20)
    assert found.estimate == pytest.approx(values.mean())
    assert found.bias == pytest.approx(0, abs=1e-12)
    assert found.standard_error == pytest.approx(values.std(ddof=1) / np.sqrt(20))
    assert found.pseudo_values == pytest.approx(values)


def test_of_the_plug_in_variance_it_corrects_to_n_minus_1() -> None:
    values = np.random.default_rng(0).normal(size=20)
    found = jackknife(lambda kept: values[kept].var(), 20)
    assert found.estimate == pytest.approx(values.var())
    assert found.corrected == pytest.approx(values.var(ddof=1))
    assert found.pseudo_values.mean() == pytest.approx(found.corrected)


def test_a_frechet_distance_loses_its_bias_of_order_one_over_n() -> None:
    """Of one Gaussian against its true mean and variance: the plug-in is above 0 in expectation."""

    def distance(values: np.ndarray) -> float:
        return float(values.mean() ** 2 + (values.std() - 1) ** 2)

    generator, plain, corrected = np.random.default_rng(0), [], []
    for _ in range(400):
        values = generator.normal(size=40)
        found = jackknife(lambda kept, values=values: distance(values[kept]), 40)
        plain.append(found.estimate)
        corrected.append(found.corrected)
    assert np.mean(plain) == pytest.approx(1 / 40 + 1 / 80, rel=0.15)
    assert abs(np.mean(corrected)) < 0.1 * np.mean(plain)


def test_pseudo_values_of_several_seeds_go_into_an_interval() -> None:
    values = np.random.default_rng(0).normal(size=(6, 20)) + np.arange(6)[:, None]
    of_seeds = [jackknife(lambda kept, row=row: row[kept].var(), 20) for row in values]
    found = mean_interval(np.stack([each.pseudo_values for each in of_seeds]))
    assert found.estimate == pytest.approx(values.var(axis=1, ddof=1).mean())
    assert found.low < 1 < found.high


def test_one_photograph_is_refused() -> None:
    with pytest.raises(InputError, match="photographs is 1"):
        jackknife(lambda kept: 0.0, 1)
