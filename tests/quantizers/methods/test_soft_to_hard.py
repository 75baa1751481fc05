"""Tests of soft-to-hard quantization against its formula, LGQ's estimator, and bounds of its entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import LGQConfig, SoftToHardConfig, TemperatureSchedule, VQGradientConfig, to_tokens
from lgq_explore.quantizers.methods.soft_to_hard import SoftToHard, entropy_bound

SIZE = 12


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def constant(temperature: float) -> TemperatureSchedule:
    return TemperatureSchedule(temperature, temperature, "constant")


def built(dim: int, temperature: float = 1.0) -> SoftToHard:
    quantizer = SoftToHardConfig(SIZE, constant(temperature)).build(dim, torch.Generator().manual_seed(0)).double()
    assert isinstance(quantizer, SoftToHard)
    return quantizer


def gradients(coded: Tensor, leaves: list[Tensor]) -> tuple[Tensor, ...]:
    return torch.autograd.grad((coded * normal(*coded.shape, seed=9)).sum(), leaves, retain_graph=True)


@pytest.mark.parametrize("dim", [1, 5])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_vectors_and_gradients_are_those_of_the_published_formula(dim: int, temperature: float) -> None:
    """As code/quantizer.py has it, in the letters of the paper: φ_soft and φ_hard [N, K], centres, σ."""
    quantizer, latents = built(dim, temperature), normal(3, dim, 4, 2, seed=1).requires_grad_()
    centres = quantizer.codebook.detach().clone().requires_grad_()
    distance = (to_tokens(latents)[:, None] - centres).square().sum(2)
    soft = (-distance / temperature).softmax(1) @ centres
    hard = torch.nn.functional.one_hot(distance.argmin(1), SIZE).double() @ centres
    expected = soft + (hard - soft).detach()
    ours = to_tokens(quantizer(latents).quantized)
    torch.testing.assert_close(ours, expected)
    theirs = gradients(expected, [latents, centres])
    for mine, other in zip(gradients(ours, [latents, quantizer.codebook]), theirs, strict=True):
        torch.testing.assert_close(mine, other)


@pytest.mark.parametrize("dim", [1, 5])
def test_the_estimator_is_that_of_lgq_without_its_normalisation(dim: int) -> None:
    ours, latents = built(dim, 0.5), normal(3, dim, 4, 2, seed=1).requires_grad_()
    lgq = LGQConfig(SIZE, constant(0.5), norm="none").build(dim).double().with_codebooks(ours.codebooks())
    mine, theirs = ours(latents), lgq(latents)
    assert torch.equal(mine.codes, theirs.codes)
    torch.testing.assert_close(mine.quantized, theirs.quantized)
    of_lgq = gradients(theirs.quantized, [latents, lgq.centres])
    for gradient, other in zip(gradients(mine.quantized, [latents, ours.codebook]), of_lgq, strict=True):
        torch.testing.assert_close(gradient, other)
    # What differs: LGQ moves the encoder by its loss of quantization, too.
    assert "quantization" in theirs.losses
    assert "quantization" not in mine.losses


def test_its_gradient_is_not_the_straight_through_one() -> None:
    """dq/dz = (2/τ) Cov_p(c): for two centres and a token in their middle, at ±1, it is 2/τ."""
    for temperature in (0.5, 2.0):
        quantizer = built(1, temperature).with_codebooks([torch.tensor([[-1.0], [1.0]])]).train()
        token = torch.zeros(1, 1, 1, 1, dtype=torch.float64, requires_grad=True)
        (gradient,) = torch.autograd.grad(quantizer(token).quantized.sum(), token)
        assert gradient.item() == pytest.approx(2 / temperature)
    vq = VQGradientConfig(2).build(1).double()
    (gradient,) = torch.autograd.grad(vq(token).quantized.sum(), token)
    assert gradient.item() == 1


def test_the_cross_entropy_of_hard_and_soft_usage_bounds_the_entropy_and_reaches_it() -> None:
    latents = normal(4, 3, 5, 5, seed=2)
    entropy = None
    bounds = []
    for temperature in (10.0, 1.0, 0.1, 1e-4):
        coded = built(3, temperature)(latents)
        shares = torch.bincount(coded.codes.flatten(), minlength=SIZE).double() / coded.codes.numel()
        entropy = torch.special.entr(shares).sum().item()
        bounds.append(coded.losses["entropy"].item())
        assert bounds[-1] >= entropy - 1e-12
    assert bounds[-1] == pytest.approx(entropy, abs=1e-6)
    assert bounds[0] > entropy + 0.1


def test_the_entropy_of_usage_has_its_known_values_and_a_gradient_to_the_soft_one() -> None:
    even = torch.full((4,), 0.25, requires_grad=True)
    bound = entropy_bound(torch.arange(8) % 4, even)
    assert bound.item() == pytest.approx(math.log(4))
    (gradient,) = torch.autograd.grad(bound, even)
    assert gradient.tolist() == [-1.0] * 4
    assert entropy_bound(torch.zeros(8, dtype=torch.int64), torch.tensor([1.0, 0, 0, 0])).item() == 0


def test_the_centres_are_regularised_by_half_their_mean_square() -> None:
    quantizer = built(5).with_codebooks([torch.full((SIZE, 5), 2.0)]).train()
    losses = quantizer(normal(1, 5, 2, 2)).losses
    assert losses["centres"].item() == pytest.approx(2.0)
    (gradient,) = torch.autograd.grad(losses["centres"], quantizer.codebook)
    torch.testing.assert_close(gradient, torch.full_like(gradient, 2 / (SIZE * 5)))


def test_a_constant_hardness_stays_and_a_growing_one_hardens() -> None:
    latents = normal(2, 4, 3, 3)
    constant, growing = (
        SoftToHardConfig(SIZE, schedule).build(4, torch.Generator().manual_seed(0)).double()
        for schedule in (TemperatureSchedule(1.0, 1.0, "constant"), TemperatureSchedule(1.0, 0.01, "exponential"))
    )
    for quantizer in (constant, growing):
        quantizer.anneal(1.0)
    assert constant(latents).diagnostics["effective_codes"] > 1.5
    assert growing(latents).diagnostics["effective_codes"] < 1.2
    assert growing.temperature == pytest.approx(0.01)


def test_the_published_settings() -> None:
    config = SoftToHardConfig()
    assert (config.temperature.at(0.0), config.temperature.at(1.0)) == (1, 1)
    assert config.default_loss_weights["centres"] == 0.1


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"temperature": TemperatureSchedule(4.0, 2.0, "linear", "effective_codes")}, "unit is 'effective_codes'"),
        ({"initialization": "zeros"}, "initialization is 'zeros'"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SoftToHardConfig(**settings)
