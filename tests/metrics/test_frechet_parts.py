"""Tests of the parts of pairs in the Fréchet distance: their mean, and what other weights of pairs do to it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.metrics.frechet_parts import frechet_parts
from lgq_explore.metrics.moments import frechet_distance


def pairs(number: int, width: int, noise: float = 0.5) -> tuple[Tensor, Tensor]:
    """Vectors, and each with noise, shrunk and shifted."""
    generator = torch.Generator().manual_seed(number)
    one = torch.randn(number, width, generator=generator, dtype=torch.float64) * torch.linspace(0.2, 2, width)
    return one, 0.8 * one + noise * torch.randn(one.shape, generator=generator, dtype=torch.float64) + 0.1


@pytest.mark.parametrize(("number", "width"), [(200, 6), (20, 40), (12, 12)])
def test_their_mean_is_the_distance_also_for_fewer_pairs_than_dimensions(number: int, width: int) -> None:
    one, other = pairs(number, width)
    assert frechet_parts(one, other).mean().item() == pytest.approx(frechet_distance(one, other), rel=1e-6)
    assert frechet_parts(one, one).mean().item() == pytest.approx(0, abs=1e-6)


def test_a_distance_of_means_alone_is_told_pair_by_pair() -> None:
    """δ = (3, 4): FD is 25, and every pair has as much."""
    one, _ = pairs(50, 2)
    assert frechet_parts(one + torch.tensor([3.0, 4.0]), one).tolist() == pytest.approx([25.0] * 50, abs=1e-6)


def test_they_are_the_derivative_by_the_weight_of_each_pair() -> None:
    """Every pair is there 20 times, and one of them once more."""
    one, other = pairs(30, 4)
    copies = 20
    whole = frechet_distance(one.repeat(copies, 1), other.repeat(copies, 1))
    of_population = frechet_parts(one.repeat(copies, 1), other.repeat(copies, 1))[:30]
    for index in (0, 7, 29):
        repeated = [torch.cat([side.repeat(copies, 1), side[index : index + 1]]) for side in (one, other)]
        slope = (frechet_distance(*repeated) - whole) * (copies * 30 + 1)
        assert slope == pytest.approx((of_population[index] - whole).item(), rel=0.1, abs=0.05)


def test_unequal_sets_and_a_single_pair_are_refused() -> None:
    one, other = pairs(5, 3)
    for first, second in ((one, other[:4]), (one[:1], other[:1]), (one[:, 0], other[:, 0])):
        with pytest.raises(InputError, match="give at least 2 pairs"):
            frechet_parts(first, second)


def test_the_spread_of_parts_is_that_of_fd_between_samples() -> None:
    """FD of drawn samples varies as √(variance of the parts / N) says."""
    generator = torch.Generator().manual_seed(0)
    found, told = [], []
    for _ in range(300):
        one = torch.randn(150, 3, generator=generator, dtype=torch.float64)
        parts = frechet_parts(
            one, 0.6 * one + 0.3 * torch.randn(150, 3, generator=generator, dtype=torch.float64) + 0.5
        )
        found.append(parts.mean().item())
        told.append(parts.var().item() / len(parts))
    assert np.var(found) == pytest.approx(np.mean(told), rel=0.25)
