"""Tests of Wasserstein VQ against closed forms and scipy, and of the moments that its codes follow."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.linalg
import torch
from torch import Tensor

from lgq_explore.quantizers import WassersteinConfig, to_tokens
from lgq_explore.quantizers.methods.wasserstein import Gaussian, WassersteinVQ, square_root, squared_wasserstein

SIZE, DIM = 24, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(size: int = SIZE, dim: int = DIM, **settings: object) -> WassersteinVQ:
    quantizer = WassersteinConfig(size, **settings).build(dim, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, WassersteinVQ)
    return quantizer


def by_scipy(fixed: Gaussian, moving: Gaussian) -> float:
    a, b = fixed.covariance.numpy(), moving.covariance.numpy()
    root = scipy.linalg.sqrtm(a).real
    overlap = np.trace(scipy.linalg.sqrtm(root @ b @ root).real)
    return float((fixed.mean - moving.mean).square().sum() + np.trace(a) + np.trace(b) - 2 * overlap)


def test_on_a_line_it_is_the_squared_differences_of_means_and_deviations() -> None:
    first, second = Gaussian.of(normal(50, 1)), Gaussian.of(3 + 2 * normal(50, 1, seed=1))
    deviations = [gaussian.covariance.sqrt() for gaussian in (first, second)]
    expected = (first.mean - second.mean) ** 2 + (deviations[0] - deviations[1]) ** 2
    assert squared_wasserstein(first, second).item() == pytest.approx(expected.item(), rel=1e-9)


@pytest.mark.parametrize("dim", [2, 16, 64])
def test_it_is_that_of_scipy(dim: int) -> None:
    scales = torch.logspace(0, -2, dim, dtype=torch.float64)
    first, second = Gaussian.of(normal(200, dim) * scales), Gaussian.of(0.5 + normal(200, dim, seed=1))
    assert squared_wasserstein(first, second).item() == pytest.approx(by_scipy(first, second), rel=1e-6)
    assert squared_wasserstein(first, first).item() == pytest.approx(0, abs=1e-7)


def test_few_codes_in_many_dimensions_have_a_finite_distance_and_gradient() -> None:
    tokens, codes = Gaussian.of(normal(200, 16)), normal(4, 16, seed=1).requires_grad_()
    distance = squared_wasserstein(tokens, Gaussian.of(codes))
    assert distance.item() == pytest.approx(by_scipy(tokens, Gaussian.of(codes.detach())), rel=1e-3)
    (gradient,) = torch.autograd.grad(distance, codes)
    assert gradient.isfinite().all()


def test_its_gradient_is_that_of_small_differences() -> None:
    tokens, codes = Gaussian.of(normal(60, 3)), normal(12, 3, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(lambda points: squared_wasserstein(tokens, Gaussian.of(points)), codes)


def test_roots_and_inverses_over_six_orders_of_magnitude() -> None:
    directions = torch.linalg.qr(normal(8, 8)).Q
    matrix = directions @ torch.logspace(2, -4, 8, dtype=torch.float64).diag() @ directions.T
    roots = square_root(matrix)
    torch.testing.assert_close(roots.root @ roots.root, matrix, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(roots.inverse @ roots.root, torch.eye(8, dtype=torch.float64), rtol=0, atol=1e-6)


def test_moments_are_those_of_all_tokens_until_the_window_is_full_and_then_of_recent_ones() -> None:
    quantizer = built(window=32 * 48)
    batches = [(1 + step) * normal(48, DIM, seed=step) + step for step in range(16)]
    for batch in batches:
        quantizer(batch.float()[:, :, None, None])
    seen = Gaussian.of(torch.cat(batches))
    torch.testing.assert_close(quantizer.token_mean, seen.mean.float(), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(quantizer.token_covariance, seen.covariance.float(), rtol=1e-4, atol=1e-4)
    for _ in range(100):
        quantizer(torch.zeros(48, DIM, 1, 1))
    assert quantizer.token_mean.norm() < 0.01 * seen.mean.norm()


def test_as_many_tokens_count_as_in_a_queue() -> None:
    """The variance of the moving mean is that of a mean over the window."""
    quantizer, means = built(2, 1, window=400), []
    generator = torch.Generator().manual_seed(0)
    for step in range(3000):
        quantizer._follow(torch.randn(20, 1, generator=generator))
        if step >= 200:
            means.append(quantizer.token_mean.item())
    assert np.var(means) == pytest.approx(1 / 400, rel=0.25)


def test_the_loss_is_the_distance_in_deviations_of_tokens_and_reaches_codes_alone() -> None:
    quantizer, latents = built(), (3 + 7 * normal(4, DIM, 4, 3)).float().requires_grad_()
    loss = quantizer(latents).losses["wasserstein"]
    tokens = to_tokens(latents.detach())
    gaussians = Gaussian.of(tokens), Gaussian.of(quantizer.codebook.detach())
    deviation = tokens.std(0, correction=0).max().item()
    assert loss.item() == pytest.approx(math.sqrt(by_scipy(*gaussians)) / deviation, rel=1e-5)
    given, moved = torch.autograd.grad(loss, (latents, quantizer.codebook), allow_unused=True)
    assert given is None
    assert (moved.norm(dim=1) > 0).all()


def test_codes_come_to_the_moments_of_tokens_and_into_use_by_it_alone() -> None:
    spread = torch.tensor([3.0, 1.0, 1.0, 0.5, 0.2])
    tokens = (2 + normal(480, DIM).float() * spread)[:, :, None, None]
    quantizer = built()
    at_first = quantizer(tokens).codes.unique().numel()
    optimizer = torch.optim.Adam(quantizer.parameters(), lr=0.05)
    for _ in range(300):
        optimizer.zero_grad()
        quantizer(tokens).losses["wasserstein"].backward()
        optimizer.step()
    followed, given = Gaussian.of(quantizer.codebook.detach()), Gaussian.of(to_tokens(tokens))
    assert (followed.mean - given.mean).abs().max() < 0.2
    assert (followed.covariance - given.covariance).abs().max() < 0.5
    assert quantizer.eval()(tokens).codes.unique().numel() > max(at_first, 20)


def test_a_reloaded_state_continues_with_the_same_moments() -> None:
    quantizer, copy = built(window=64), built(window=64)
    batches = [normal(4, DIM, 2, 2, seed=step).float() for step in range(3)]
    for batch in batches[:2]:
        quantizer(batch)
    copy.load_state_dict(quantizer.state_dict())
    for each in (quantizer, copy):
        each(batches[2])
    assert torch.equal(quantizer.token_covariance, copy.token_covariance)
    assert sum(buffer.numel() for buffer in built(dim=64).buffers()) == 64 * 65 + 1


def test_the_published_settings() -> None:
    config = WassersteinConfig(4096)
    assert config.window == 65_536
    assert config.default_loss_weights == {"codebook": 1, "commitment": 0.1, "wasserstein": 0.5}
    codebook = config.build(16, torch.Generator().manual_seed(0)).codebook
    assert codebook.std().item() == pytest.approx(0.01, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [({"window": 0}, "window is 0: give at least 1 token"), ({"codebook_size": 1}, "codebook_size is 1")],
)
def test_settings_out_of_range_are_named(settings: dict[str, int], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        WassersteinConfig(**settings)
