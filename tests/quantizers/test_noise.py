"""Tests of noise that is a function of the step, the token and the column."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers.noise import Noise

CPU = torch.device("cpu")
TOKENS, COLUMNS = 512, 1024
WHOLE = slice(0, TOKENS)


def uniform(step: int = 3) -> Tensor:
    return Noise(step, TOKENS).uniform(WHOLE, COLUMNS, CPU)


def test_it_is_the_same_in_whatever_parts_it_is_asked_for_and_different_at_every_step() -> None:
    noise = Noise(3, TOKENS)
    parts = [noise.uniform(rows, COLUMNS, CPU) for rows in (slice(0, 7), slice(7, 400), slice(400, TOKENS))]
    assert torch.equal(torch.cat(parts), uniform())
    assert torch.equal(noise.uniform(WHOLE, 10, CPU), uniform()[:, :10])
    assert (uniform(4) == uniform()).double().mean() < 1e-5


def mixed(number: int) -> int:
    """Wellons's lowbias32, in whole numbers of Python."""
    for shift, factor in ((16, 0x7FEB352D), (15, 0x846CA68B)):
        number = ((number ^ (number >> shift)) * factor) % 2**32
    return number ^ (number >> 16)


def test_its_numbers_are_fixed_so_that_a_run_resumed_elsewhere_goes_on_alike() -> None:
    numbers = Noise(7, 3).uniform(slice(1, 3), 2, CPU) * 2**23 - 0.5
    keys = [mixed((mixed(row) + mixed(7)) % 2**32) for row in (1, 2)]
    assert numbers.tolist() == [[mixed(key ^ mixed(column)) >> 9 for column in (0, 1)] for key in keys]


def test_uniform_numbers_are_uniform() -> None:
    numbers, count = uniform().double(), TOKENS * COLUMNS
    assert 0 < numbers.min() < 1e-5
    assert 1 - 1e-5 < numbers.max() < 1
    observed = torch.histc(numbers, 64, 0, 1)
    expected = count / 64
    chi_square = ((observed - expected).square() / expected).sum().item()
    assert chi_square < 63 + 5 * math.sqrt(2 * 63)


@pytest.mark.parametrize("axis", ["rows", "columns", "steps"])
def test_neighbours_have_nothing_in_common(axis: str) -> None:
    numbers = uniform().double() - 0.5
    other = {
        "rows": numbers.roll(1, 0),
        "columns": numbers.roll(1, 1),
        "steps": uniform(4).double() - 0.5,
    }[axis]
    correlation = 12 * (numbers * other).mean().item()
    assert abs(correlation) < 5 / math.sqrt(TOKENS * COLUMNS)


def test_no_two_tokens_have_shifted_copies_of_each_others_numbers() -> None:
    numbers = Noise(0, 64).uniform(slice(0, 64), 256, CPU)
    assert numbers.unique().numel() > 0.99 * numbers.numel()


def test_gumbel_and_normal_numbers_have_their_moments() -> None:
    gumbel, normal = Noise(1, TOKENS).gumbel(WHOLE, COLUMNS, CPU).double(), Noise(1, TOKENS).normal(COLUMNS, CPU)
    error = 5 / math.sqrt(TOKENS * COLUMNS)
    assert gumbel.isfinite().all()
    assert gumbel.mean().item() == pytest.approx(0.5772156649, abs=1.3 * error)
    assert gumbel.var().item() == pytest.approx(math.pi**2 / 6, abs=4 * error)
    assert normal.mean().item() == pytest.approx(0, abs=error)
    assert normal.var().item() == pytest.approx(1, abs=1.5 * error)
    assert normal.double().pow(4).mean().item() == pytest.approx(3, abs=10 * error)


@pytest.mark.gpu
def test_a_gpu_has_the_numbers_of_the_cpu() -> None:
    assert torch.equal(Noise(3, TOKENS).uniform(WHOLE, COLUMNS, torch.device("cuda")).cpu(), uniform())
