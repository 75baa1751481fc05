"""Tests of means and covariances, of effective dimensions, and of the distance of Gaussians against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.linalg import sqrtm
from torch import Tensor

from lgq_explore.errors import InputError
from lgq_explore.metrics import Moments, effective_dimensions, gaussian_wasserstein


def moments(*batches: Tensor) -> Moments:
    gathered = Moments()
    for batch in batches:
        gathered.update(batch)
    return gathered


def drawn(number: int, width: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    mixing = torch.randn(width, width, generator=generator, dtype=torch.float64)
    return torch.randn(number, width, generator=generator, dtype=torch.float64) @ mixing


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_they_are_numpy_s_however_batches_are_cut_and_processes_added(offset: float) -> None:
    vectors = drawn(200, 4) + offset
    merged = moments(vectors[150:], vectors[:50])
    merged.merge(moments(vectors[50:150]))
    for gathered in (moments(vectors), merged):
        assert gathered.number == 200
        assert gathered.mean.numpy() == pytest.approx(vectors.numpy().mean(axis=0))
        assert gathered.covariance.numpy() == pytest.approx(np.cov(vectors.numpy().T, bias=True), abs=1e-6)


def test_effective_dimensions_count_directions_that_vary_alike() -> None:
    assert effective_dimensions(torch.eye(7)) == pytest.approx(7)
    assert effective_dimensions(torch.diag(torch.tensor([3.0, 3.0, 0.0, 0.0]))) == pytest.approx(2)
    isotropic = torch.randn(50_000, 8, generator=torch.Generator().manual_seed(0))
    assert effective_dimensions(moments(isotropic).covariance) == pytest.approx(8, rel=2e-3)
    assert effective_dimensions(torch.zeros(3, 3)) is None
    values = np.linalg.eigvalsh(moments(drawn(100, 5)).covariance.numpy())
    assert effective_dimensions(moments(drawn(100, 5)).covariance) == pytest.approx(
        values.sum() ** 2 / (values**2).sum()
    )


def test_the_distance_is_that_of_scipy_s_matrix_roots() -> None:
    one, other = moments(drawn(300, 6, seed=1)), moments(drawn(500, 6, seed=2) + 0.3)
    first, second = one.covariance.numpy(), other.covariance.numpy()
    root = sqrtm(first)
    expected = np.sum((one.mean - other.mean).numpy() ** 2) + np.trace(
        first + second - 2 * np.real(sqrtm(root @ second @ root))
    )
    assert gaussian_wasserstein(one, other) ** 2 == pytest.approx(expected, rel=1e-9)
    assert gaussian_wasserstein(other, one) == pytest.approx(gaussian_wasserstein(one, other), rel=1e-9)


def test_distances_known_by_hand() -> None:
    vectors = drawn(200, 3)
    assert gaussian_wasserstein(moments(vectors), moments(vectors)) == pytest.approx(0, abs=1e-6)
    assert gaussian_wasserstein(moments(vectors), moments(vectors + 2)) == pytest.approx(2 * 3**0.5, rel=1e-6)
    # In one dimension, a matter of standard deviations.
    line = vectors[:, :1] - vectors[:, :1].mean()
    deviation = line.square().mean().sqrt().item()
    assert gaussian_wasserstein(moments(line), moments(4 * line)) == pytest.approx(3 * deviation, rel=1e-9)


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match="no vectors"):
        _ = Moments().mean
    with pytest.raises(InputError, match="width 2 follow vectors of width 3"):
        moments(torch.zeros(2, 3), torch.zeros(2, 2))
