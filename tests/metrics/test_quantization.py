"""Tests of the quantization error."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lgq_explore.metrics.quantization import QuantizationError, QuantizationErrorResult


def error(latents: Tensor, quantized: Tensor, batch_size: int = 1000) -> QuantizationErrorResult:
    metric = QuantizationError()
    for batch, rounded in zip(latents.split(batch_size), quantized.split(batch_size), strict=True):
        metric.update(batch, rounded)
    return metric.compute()


def some_latents() -> Tensor:
    """[B=6, D=4, H=5, W=3], of unequal spread over channels."""
    spread = torch.tensor([0.1, 1.0, 2.0, 5.0]).view(1, 4, 1, 1)
    return spread * torch.randn(6, 4, 5, 3, generator=torch.Generator().manual_seed(0))


def test_nothing_lost_is_zero_and_the_mean_for_all_is_one() -> None:
    latents = some_latents()
    assert error(latents, latents).value == 0
    mean = latents.double().mean(dim=(0, 2, 3), keepdim=True).expand_as(latents)
    assert error(latents, mean).value == pytest.approx(1, rel=1e-12)


def test_is_the_formula() -> None:
    latents = some_latents()
    quantized = latents.round()
    tokens = latents.double().permute(0, 2, 3, 1).reshape(-1, 4)
    rounded = quantized.double().permute(0, 2, 3, 1).reshape(-1, 4)
    result = error(latents, quantized)
    assert result.tokens == 6 * 5 * 3
    squared_distance = (tokens - rounded).square().sum(1).mean().item()
    variance = torch.cov(tokens.T, correction=0).trace().item()
    assert result.value == pytest.approx(squared_distance / variance, rel=1e-12)
    assert error(tokens, rounded).value == pytest.approx(result.value, rel=1e-12)


def test_the_best_two_levels_for_a_normal_variable_lose_one_minus_two_over_pi() -> None:
    latents = torch.randn(200_000, 1, generator=torch.Generator().manual_seed(1))
    value = error(latents, latents.sign() * math.sqrt(2 / math.pi)).value
    assert value == pytest.approx(1 - 2 / math.pi, abs=3e-3)


@pytest.mark.parametrize("offset", [0.0, 1e8])
def test_depends_neither_on_batches_nor_on_an_offset(offset: float) -> None:
    latents = some_latents().double() + offset
    quantized = latents + 0.5
    expected = 4 * 0.25 / torch.cov(some_latents().double().transpose(0, 1).flatten(1), correction=0).trace().item()
    for batch_size in (1, 4, 6):
        assert error(latents, quantized, batch_size).value == pytest.approx(expected, rel=1e-6)


def test_latents_that_do_not_vary_have_no_error() -> None:
    for constant in (0.0, 7.0, 0.1):
        latents = torch.full((7, 4, 3, 3), constant, dtype=torch.float64)
        result = error(latents, latents + 1, batch_size=3)
        assert result.value is None
        assert result.tokens == 63


@pytest.mark.parametrize(
    ("latents", "quantized", "complaint"),
    [
        (torch.zeros(2, 4, 3, 3), torch.zeros(2, 4, 3, 2), r"\[2, 4, 3, 2\]"),
        (torch.zeros(4), torch.zeros(4), r"\[4\]"),
        (torch.full((2, 4), math.nan), torch.zeros(2, 4), "not finite"),
        (torch.zeros(2, 4), torch.full((2, 4), math.inf), "not finite"),
        (torch.zeros(2, 3), torch.zeros(2, 3), "width 3 follow latents of width 4"),
    ],
)
def test_bad_batches_are_refused_and_leave_the_sums_alone(latents: Tensor, quantized: Tensor, complaint: str) -> None:
    metric = QuantizationError()
    metric.update(torch.eye(4), torch.zeros(4, 4))
    before = metric.compute()
    with pytest.raises(ValueError, match=complaint):
        metric.update(latents, quantized)
    assert metric.compute() == before


def test_no_tokens_have_no_error() -> None:
    metric = QuantizationError()
    metric.update(torch.zeros(0, 4, 2, 2), torch.zeros(0, 4, 2, 2))
    with pytest.raises(ValueError, match="no tokens"):
        metric.compute()
