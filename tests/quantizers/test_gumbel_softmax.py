"""Tests of the Gumbel-softmax relaxation against its definition with a table of tokens × codes."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers.gumbel_softmax import gumbel_softmax
from lgq_explore.quantizers.noise import Noise

CPU = torch.device("cpu")


def inputs(tokens: int, codes: int, width: int = 3, values: int = 4) -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    shapes = ((tokens, width), (codes, width), (codes, values))
    return [torch.randn(shape, generator=generator, dtype=torch.float64).requires_grad_() for shape in shapes]


def by_a_table(q: Tensor, k: Tensor, v: Tensor, temperature: float | Tensor, step: int) -> Tensor:
    noise = Noise(step, len(q)).gumbel(slice(0, len(q)), len(k), CPU)
    return ((q @ k.T + noise) / temperature).softmax(1) @ v


@pytest.mark.parametrize(("tokens", "codes"), [(5, 7), (300, 4096)])
def test_values_and_gradients_are_those_of_the_table(tokens: int, codes: int) -> None:
    """4096 codes are cut into strips of 64 tokens."""
    q, k, v = inputs(tokens, codes)
    temperature = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)
    leaves = (q, k, v, temperature)
    ours, table = gumbel_softmax(q, k, v, temperature, step=3), by_a_table(q, k, v, temperature, step=3)
    torch.testing.assert_close(ours, table)
    upstream = torch.randn(ours.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    gradients, expected = (torch.autograd.grad((value * upstream).sum(), leaves) for value in (ours, table))
    for gradient, of_table in zip(gradients, expected, strict=True):
        torch.testing.assert_close(gradient, of_table)


def test_a_cold_draw_takes_each_code_as_often_as_the_softmax_says() -> None:
    draws = 20_000
    logits = torch.tensor([[0.0, 1.0, 2.0, -1.0]])
    q = logits.expand(draws, 4)
    drawn = gumbel_softmax(q, torch.eye(4), torch.eye(4), 1e-3, step=0)
    shares, p = drawn.mean(0), logits.softmax(1)[0]
    torch.testing.assert_close(shares, p, rtol=0, atol=5 * (0.25 / draws) ** 0.5)
    assert drawn.max(1).values.mean() > 0.99


def test_the_warmer_the_draw_the_more_it_is_shared() -> None:
    q = torch.zeros(2000, 4)
    largest = [gumbel_softmax(q, torch.eye(4), torch.eye(4), t, 0).max(1).values.mean() for t in (0.1, 1.0, 10.0, 1e3)]
    assert largest == sorted(largest, reverse=True)
    assert largest[-1].item() == pytest.approx(0.25, abs=0.01)
