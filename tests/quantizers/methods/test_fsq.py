"""Tests of FSQ against the published grid and vector-quantize-pytorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import FSQ as ReferenceFSQ

from lgq_explore.quantizers import FSQConfig, StartsFromData, joint_codes
from lgq_explore.quantizers.methods.fsq import BOUND_MARGIN, BOUNDS, FSQ, PUBLISHED_LEVELS, nearest_levels

LEVELS = [(8, 5, 5, 5), (7, 5, 5, 5, 5), (3, 4)]


def normal_latents(batch: int, dim: int, seed: int = 0) -> Tensor:
    """From N(0, 2²), [B, D, 8, 8]."""
    return 2 * torch.randn(batch, dim, 8, 8, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("levels", LEVELS)
def test_codes_values_and_gradients_are_the_librarys(levels: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    ours, reference = FSQConfig(levels).build(8), ReferenceFSQ(list(levels), dim=8)
    for name in ("project_in", "project_out"):
        getattr(reference, name).load_state_dict(getattr(ours, name).state_dict())
    latents = [normal_latents(4, 8).requires_grad_() for _ in range(2)]
    coded, (quantized, index) = ours(latents[0]), reference(latents[1])
    expected_codes = reference.indices_to_level_indices(index).movedim(-1, 1)
    assert torch.equal(coded.codes, expected_codes.long())
    torch.testing.assert_close(coded.quantized, quantized, rtol=1e-6, atol=1e-6)
    direction = torch.randn(quantized.shape)
    for output, module in ((coded.quantized, ours), (quantized, reference)):
        (output * direction).sum().backward()
        assert module.project_in.weight.grad.norm() > 0
    torch.testing.assert_close(latents[0].grad, latents[1].grad, rtol=1e-5, atol=1e-5)
    for name in ("project_in", "project_out"):
        for parameter in ("weight", "bias"):
            value, expected = (getattr(getattr(module, name), parameter).grad for module in (ours, reference))
            torch.testing.assert_close(value, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("level", [3, 4, 5, 8, 999])
def test_the_grid_has_its_known_points(level: int) -> None:
    (book,) = FSQConfig((level,)).build(2).codebooks()
    expected = [(digit - level // 2) / (level // 2) for digit in range(level)]
    assert book.flatten().tolist() == pytest.approx(expected, rel=1e-6)
    if level == 8:
        assert book.flatten().tolist() == [-1, -0.75, -0.5, -0.25, 0, 0.25, 0.5, 0.75]


def unprojected(levels: tuple[int, ...], bound: str = BOUNDS[0]) -> FSQ:
    """With a projection that leaves latents of width len(levels) as they are."""
    quantizer = FSQConfig(levels, bound).build(len(levels))
    assert isinstance(quantizer, FSQ)
    with torch.no_grad():
        quantizer.project_in.weight.copy_(torch.eye(len(levels)))
        quantizer.project_in.bias.zero_()
    return quantizer.eval()


@pytest.mark.parametrize(
    ("bound", "level", "expected"),
    [  # of the latents −2, 0, 0.3 and 2, by a calculator
        ("paper", 8, [-3.8297499, -0.000014, 0.9578322, 2.9017673]),
        ("paper", 5, [-1.9261271, 0, 0.5820426, 1.9261271]),
        ("vector-quantize-pytorch", 8, [-3.8365098, 0, 0.9599183, 2.9085237]),
        ("vector-quantize-pytorch", 5, [-1.9299832, 0, 0.5832079, 1.9299832]),
    ],
)
def test_the_bounds_have_their_known_values(bound: str, level: int, expected: list[float]) -> None:
    latents = torch.tensor([-2, 0, 0.3, 2]).reshape(4, 1, 1, 1)
    bounded = unprojected((level,), bound).continuous(latents).flatten() * (level // 2)
    assert bounded.tolist() == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("levels", PUBLISHED_LEVELS.values())
def test_about_one_code_in_a_hundred_is_another_by_the_other_bound(levels: tuple[int, ...]) -> None:
    latents = normal_latents(500, len(levels))
    library, paper = (joint_codes(unprojected(levels, bound)(latents).codes, levels) for bound in BOUNDS)
    assert 0.006 < (library != paper).double().mean() < 0.016


@pytest.mark.parametrize("bound", BOUNDS)
@pytest.mark.parametrize("level", [3, 4, 5, 8, 999])
def test_latents_far_out_stay_on_the_grid_and_reach_its_ends(level: int, bound: str) -> None:
    quantizer = unprojected((level,), bound)
    ends = quantizer(torch.tensor([-1e4, 0.0, 1e4]).reshape(3, 1, 1, 1)).codes.flatten().tolist()
    assert ends == [0, level // 2, level - 1]


def test_the_bound_is_measured_before_it_is_rounded() -> None:
    quantizer, latents = FSQConfig().build(8), normal_latents(4, 8)
    gap = (quantizer.continuous(latents) - quantizer.discrete(quantizer(latents).codes)).abs()
    step = 1 / (torch.tensor(quantizer.levels) // 2)
    assert (gap.amax(dim=(0, 2, 3)) <= step / 2 + 1e-6).all()
    assert (gap.amax(dim=(0, 2, 3)) > step / 4).all()


@pytest.mark.parametrize("dim", [4, 8, 16])
@pytest.mark.parametrize("seed", range(4))
def test_reaches_95_percent_of_its_codes_as_it_is_built(dim: int, seed: int) -> None:
    torch.manual_seed(seed)
    quantizer = FSQConfig((8, 5, 5, 5)).build(dim)
    with torch.no_grad():
        codes = joint_codes(quantizer(normal_latents(1000, dim, seed)).codes, quantizer.levels)
    assert codes.unique().numel() >= 950


def test_the_projection_starts_with_orthogonal_rows_of_a_linear_layers_variance() -> None:
    weight = FSQConfig().build(8).project_in.weight.detach()
    torch.testing.assert_close(weight @ weight.T, torch.eye(4) / 3, rtol=0, atol=1e-6)


def test_gives_no_losses_and_has_a_codebook_that_never_moves() -> None:
    quantizer = FSQConfig().build(8)
    assert quantizer(normal_latents(1, 8)).losses == {}
    assert quantizer.codebook_is_fixed
    assert not isinstance(quantizer, StartsFromData)


@pytest.mark.parametrize(("asked", "size"), [(256, 240), (1024, 1000), (4096, 4375), (16384, 15360), (65536, 64000)])
def test_published_levels_have_their_known_products(asked: int, size: int) -> None:
    assert FSQConfig.for_codebook_size(asked).size == size
    assert nearest_levels(asked) == PUBLISHED_LEVELS[asked]


@pytest.mark.parametrize("asked", [3, 4, 5, 40, 100, 512, 1000, 2000, 10**6, 2**40])
def test_other_sizes_take_a_product_near_them(asked: int) -> None:
    levels = nearest_levels(asked)
    assert abs(math.log(math.prod(levels) / asked)) <= math.log(1.25)
    assert min(levels) >= 3


def test_the_nearest_product_is_nearest_in_ratio() -> None:
    assert nearest_levels(35) in ((7, 5), (6, 6))
    assert nearest_levels(7) == (7,)
    assert nearest_levels(64) == (8, 8)
    assert nearest_levels(16) == (4, 4)  # too few for levels of 5 and more


@pytest.mark.parametrize(
    ("levels", "complaint"),
    [
        ((), "at least one"),
        ((8, 2), r"\(8, 2\).*at least 3"),
        ((1000,), r"\(1000,\).*below 1000"),
    ],
)
def test_levels_that_make_no_grid_are_refused(levels: tuple[int, ...], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        FSQConfig(levels)


def test_a_bound_that_is_none_is_refused_with_those_that_are() -> None:
    with pytest.raises(ValueError, match="bound is 'papr': choose one of vector-quantize-pytorch, paper"):
        FSQConfig(bound="papr")


def test_the_largest_level_is_what_the_margin_of_the_bound_allows() -> None:
    """At (L − 1)(1 + ε)/2 the outermost value would round out of the grid where (L − 1) ε ≥ 1."""
    assert round((999 - 1) * (1 + BOUND_MARGIN) / 2) == (999 - 1) // 2
    assert round((1003 - 1) * (1 + BOUND_MARGIN) / 2) > (1003 - 1) // 2


@pytest.mark.parametrize("size", [-5, 0, 1, 2])
def test_sizes_below_three_are_refused(size: int) -> None:
    with pytest.raises(ValueError, match=f"codebook_size is {size}"):
        FSQConfig.for_codebook_size(size)


def test_points_of_a_grid_stand_at_their_joint_codes() -> None:
    points = FSQConfig(levels=(3, 5)).build(4).code_points()
    assert points[0].tolist() == [-1, -1]
    assert points[1].tolist() == [-1, -0.5]
    assert points[1 * 5 + 2].tolist() == [0, 0]
    assert points[14].tolist() == [1, 1]
