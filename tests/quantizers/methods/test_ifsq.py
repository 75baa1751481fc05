"""Tests of iFSQ: its bound, how evenly it uses levels, and its relation to FSQ."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import FSQ as ReferenceFSQ

from lgq_explore.quantizers import FSQConfig, IFSQConfig, joint_codes
from lgq_explore.quantizers.methods.fsq import GridConfig
from tests.quantizers import unprojected


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def digits(config: GridConfig, latents: Tensor) -> Tensor:
    """The codes [N] of latents [N], on a grid of one dimension."""
    return unprojected.grid(config)(latents[:, None, None, None]).codes.flatten()


@pytest.mark.parametrize(
    ("level", "expected"),
    [  # of the latents −2, 0, 0.3 and 2, by a calculator: h (2/(1 + exp(−1.6 z)) − 1) − o
        (17, [-7.3733484, 0, 1.8839660, 7.3733484]),
        (8, [-3.7258399, -0.5, 0.3242351, 2.7258399]),
    ],
)
def test_the_bound_has_its_known_values(level: int, expected: list[float]) -> None:
    latents = torch.tensor([-2, 0, 0.3, 2]).reshape(4, 1, 1, 1)
    bounded = unprojected.grid(IFSQConfig((level,))).continuous(latents).flatten() * (level // 2)
    assert bounded.tolist() == pytest.approx(expected, abs=2e-6)


def test_the_bound_all_but_makes_normal_numbers_uniform() -> None:
    numbers = torch.linspace(-6, 6, 2001, dtype=torch.float64)
    uniform = torch.erf(numbers / math.sqrt(2))
    assert (2 * torch.sigmoid(1.6 * numbers) - 1 - uniform).abs().max().item() == pytest.approx(0.0345, abs=1e-4)
    assert (torch.tanh(numbers) - uniform).abs().max().item() == pytest.approx(0.0885, abs=1e-4)


def test_of_normal_latents_inner_levels_have_like_shares_and_the_outermost_less() -> None:
    quantiles = math.sqrt(2) * torch.erfinv(2 * (torch.arange(20001, dtype=torch.float64) + 0.5) / 20001 - 1)
    shares, entropies = [], []
    for config in (IFSQConfig((17,)), FSQConfig((17,))):
        share = torch.bincount(digits(config, quantiles.float()), minlength=17) / len(quantiles)
        shares.append(share)
        entropies.append(torch.special.entr(share).sum().item())
    assert [(share[1:-1].max() / share[1:-1].min()).item() for share in shares] == pytest.approx([1.09, 1.7], abs=0.03)
    assert [(share[0] * 16).item() for share in shares] == pytest.approx([0.255, 0.69], abs=0.02)
    assert entropies == pytest.approx([2.784, 2.812], abs=2e-3)


@pytest.mark.parametrize("level", [3, 4, 8, 17, 999])
def test_latents_far_out_stay_on_the_grid_and_reach_its_ends(level: int) -> None:
    assert digits(IFSQConfig((level,)), torch.tensor([-1e4, 1e4])).tolist() == [0, level - 1]


def test_at_a_steepness_of_2_odd_levels_are_those_of_fsq_but_for_its_margin() -> None:
    latents = normal(500, 3, 4, 4)
    levels = (5, 7, 9)
    steep, fsq = (unprojected.grid(config) for config in (IFSQConfig(levels, steepness=2.0), FSQConfig(levels)))
    torch.testing.assert_close(steep.continuous(latents), fsq.continuous(latents), rtol=0, atol=1.1e-3)
    gentle = unprojected.grid(IFSQConfig(levels))
    assert (gentle(latents).codes != fsq(latents).codes).double().mean() > 0.05
    assert (steep(latents).codes != fsq(latents).codes).double().mean() < 0.005


def test_codes_and_gradients_are_the_librarys_of_latents_bounded_by_a_sigmoid() -> None:
    """tanh(0.8 z) is 2 sigmoid(1.6 z) − 1: the library's FSQ of 0.8 z, whose range is wider by a thousandth."""
    levels = (5, 7, 9)
    ours, reference = unprojected.grid(IFSQConfig(levels)), ReferenceFSQ(list(levels))
    latents = [normal(50, 3, 4, 4).requires_grad_() for _ in range(2)]
    coded, (quantized, numbers) = ours.train()(latents[0]), reference(0.8 * latents[1])
    expected = reference.indices_to_level_indices(numbers).movedim(-1, 1)
    same = coded.codes == expected
    assert same.double().mean() > 0.99
    torch.testing.assert_close(coded.quantized[same], quantized[same])
    (gradient,) = torch.autograd.grad(coded.quantized.sum(), latents[0])
    (expected,) = torch.autograd.grad(quantized.sum(), latents[1])
    torch.testing.assert_close(gradient, expected, rtol=2e-3, atol=1e-6)


def test_the_published_levels_are_a_setting_and_the_default_has_fsqs_k() -> None:
    assert IFSQConfig((17, 17, 17, 17)).size == 83521
    assert IFSQConfig().size == FSQConfig().size == 1000
    coded = IFSQConfig((17, 17, 17, 17)).build(4)(normal(4, 4, 8, 8))
    assert joint_codes(coded.codes, (17,) * 4).unique().numel() > 100
    assert coded.losses == {}


@pytest.mark.parametrize("steepness", [0.0, -1.0, math.inf, math.nan])
def test_a_steepness_that_bounds_nothing_is_refused(steepness: float) -> None:
    with pytest.raises(ValueError, match="steepness is"):
        IFSQConfig(steepness=steepness)
