"""Tests of the Fréchet distance of two sets against NumPy and torchmetrics, and of its infinitesimal jackknife."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchmetrics.image.fid import FrechetInceptionDistance

from lgq_explore.errors import InputError
from lgq_explore.metrics.frechet import frechet_distance, frechet_influence
from lgq_explore.statistics import jackknife


def drawn(number: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(number, width, generator=generator, dtype=torch.float64) @ mixing


def pairs(number: int, width: int, seed: int = 0, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    """Vectors and what is left of them after noise, of unequal directions."""
    generator = torch.Generator().manual_seed(seed)
    scale = torch.arange(1, width + 1).double() ** -0.5
    one, rest = (scale * torch.randn(number, width, generator=generator, dtype=torch.float64) for _ in range(2))
    return one, 0.9 * one + noise * rest + 0.05


@pytest.mark.parametrize(("number", "other_number"), [(300, 200), (5, 4)])  # more vectors than dimensions, and fewer
def test_the_distance_of_two_sets_is_that_of_their_covariances(number: int, other_number: int) -> None:
    one, other = drawn(number, 6, seed=1), drawn(other_number, 6, seed=2) + 0.3
    covariances = [np.cov(vectors.numpy().T) for vectors in (one, other)]
    apart = (one.mean(0) - other.mean(0)).square().sum().item()
    values = np.linalg.eigvals(covariances[0] @ covariances[1]).real.clip(min=0)
    expected = apart + sum(np.trace(part) for part in covariances) - 2 * np.sqrt(values).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(one, one) == pytest.approx(0, abs=1e-9)


def test_the_distance_of_two_sets_is_torchmetrics_s() -> None:
    class Bytes(torch.nn.Module):
        num_features = 12

        def forward(self, images: Tensor) -> Tensor:
            return images.flatten(1).double() / 255

    generator = torch.Generator().manual_seed(0)
    pairs = [torch.randint(0, 256, (40, 3, 2, 2), generator=generator, dtype=torch.uint8) for _ in range(2)]
    theirs = FrechetInceptionDistance(feature=Bytes(), input_img_size=(3, 2, 2), sync_on_compute=False)
    theirs.set_dtype(torch.float64)
    for pictures, real in zip(pairs, (True, False), strict=True):
        theirs.update(pictures, real=real)
    assert frechet_distance(*map(Bytes(), pairs)) == pytest.approx(theirs.compute().item(), rel=1e-5)


def test_a_distance_of_single_vectors_is_refused() -> None:
    with pytest.raises(InputError, match="covariances of 1 and 3 vectors: give at least 2"):
        frechet_distance(torch.ones(1, 2), torch.ones(3, 2))


@pytest.mark.parametrize(("number", "width"), [(60, 9), (20, 40)])  # more vectors than dimensions, and fewer
def test_influences_are_the_derivatives_by_the_weights_of_groups(number: int, width: int) -> None:
    one, other = pairs(number, width)
    group = np.arange(number) % 10
    found = frechet_influence(one, other, group)
    assert found.distance == pytest.approx(frechet_distance(one, other), rel=1e-9)
    assert found.values.mean() == pytest.approx(found.distance)

    def weighted(weights: NDArray[np.float64]) -> float:
        """The distance of pairs that count as often as their group, by another formula than the code's."""
        share = torch.from_numpy(weights[group] / weights[group].sum())[:, None]
        means = [(share * vectors).sum(0) for vectors in (one, other)]
        covariances = [
            ((share * (vectors - mean)).T @ (vectors - mean)).numpy() * number / (number - 1)
            for vectors, mean in zip((one, other), means, strict=True)
        ]
        values = np.sort(np.linalg.eigvals(covariances[0] @ covariances[1]).real)[::-1]
        roots = np.sqrt(values[: number - 1]).sum()  # the others are 0 but for rounding
        apart = (means[0] - means[1]).square().sum().item()
        return float(apart + sum(np.trace(part) for part in covariances) - 2 * roots)

    for chosen in (0, 7):
        step = 1e-4 * (np.arange(10) == chosen)
        slope = (weighted(np.ones(10) + step) - weighted(np.ones(10) - step)) / 2e-4
        assert found.values[chosen] - found.distance == pytest.approx(10 * slope, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize(("number", "width"), [(120, 8), (120, 128)])
def test_their_spread_is_that_of_the_jackknife_that_leaves_groups_out(number: int, width: int) -> None:
    one, other = pairs(number, width)
    group = np.repeat(np.arange(number // 3), 3)
    found = frechet_influence(one, other, group)

    def without(kept: NDArray[np.int64]) -> float:
        chosen = np.isin(group, kept)
        return frechet_distance(one[chosen], other[chosen])

    left_out = jackknife(without, number // 3)
    error = found.values.std(ddof=1) / np.sqrt(number // 3)
    assert error == pytest.approx(left_out.standard_error, rel=0.1)
    assert np.corrcoef(found.values, left_out.pseudo_values)[0, 1] > 0.9


def test_of_a_shift_alone_every_pair_has_the_whole_distance() -> None:
    one = drawn(30, 4)
    found = frechet_influence(one, one + 2, np.arange(30))
    assert found.values == pytest.approx(np.full(30, 16.0))
    with pytest.raises(InputError, match="30 and 29 vectors of 30 groups: give at least 2 pairs"):
        frechet_influence(one, one[1:], np.arange(30))
