"""Is each estimator's gradient its formula, and the smoothed loss's the one that can be calculated?"""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch.vector_quantize_pytorch import rotate_to

from lgq_explore.analysis.temperature import (
    ESTIMATORS,
    beside_straight_through,
    compare_estimators,
    encoder_gradient,
    estimator_microscope,
)
from lgq_explore.analysis.temperature.smoothed_gradient import SmoothedGradient, hard, rounding_error, smoothed_gradient
from lgq_explore.errors import InputError
from lgq_explore.models import BackboneConfig
from lgq_explore.models.tokenizer import build_tokenizer
from lgq_explore.quantizers import FSQConfig, LGQConfig, QuantizerConfig
from lgq_explore.quantizers.methods.lgq import LGQ
from lgq_explore.runs.study import Study
from tests.analysis.planted_tokenizer import method_tokenizer, noise_pictures, study_of

WEIGHTS = torch.tensor([2.0, -1.0, 0.5], dtype=torch.float64)


def planted(codebook: Tensor) -> LGQ:
    """LGQ without a norm, in float64, with this codebook [K, D]."""
    quantizer = LGQConfig(codebook_size=2, norm="none").build(codebook.shape[1]).double().eval()
    return quantizer.with_codebooks([codebook])


def random_case(dim: int = 3) -> tuple[LGQ, Tensor]:
    generator = torch.Generator().manual_seed(0)
    codebook = torch.randn(9, dim, generator=generator, dtype=torch.float64)
    return planted(codebook), torch.randn(2, dim, 2, 3, generator=generator, dtype=torch.float64)


def linear(quantized: Tensor) -> Tensor:
    return (quantized * WEIGHTS[:, None, None]).sum((1, 2, 3))


def quadratic(quantized: Tensor) -> Tensor:
    return quantized.square().sum((1, 2, 3)) / 2


# The estimators


@pytest.mark.parametrize("name", ESTIMATORS)
def test_forward_every_estimator_gives_the_hard_codes(name: str) -> None:
    quantizer, latents = random_case()
    expected = quantizer(latents).quantized
    assert torch.allclose(ESTIMATORS[name](quantizer, latents, 0.5), expected, rtol=0, atol=1e-12)
    assert torch.equal(hard(quantizer, latents), expected)


@pytest.mark.parametrize("name", ["straight-through", "split"])
@pytest.mark.parametrize("temperature", [0.01, 1.0])
def test_the_encoder_hears_the_identity_from_the_straight_through_and_the_split_estimator(
    name: str, temperature: float
) -> None:
    quantizer, latents = random_case()
    gradient = encoder_gradient(ESTIMATORS[name], quantizer, latents, linear, temperature)
    torch.testing.assert_close(gradient, WEIGHTS[:, None, None].expand_as(latents), rtol=0, atol=1e-12)


def test_lgq_multiplies_by_the_covariance_of_the_codes() -> None:
    quantizer, latents = random_case()
    temperature, (codebook,) = 0.7, quantizer.codebooks()
    tokens = latents.movedim(1, -1).reshape(-1, 3)
    p = (-torch.cdist(tokens, codebook).square() / temperature).softmax(1)
    mean = p @ codebook
    covariance = torch.einsum("nk,kd,ke->nde", p, codebook, codebook) - mean[:, :, None] * mean[:, None]
    expected = (2 / temperature * covariance @ WEIGHTS).reshape(2, 2, 3, 3).movedim(-1, 1)
    gradient = encoder_gradient(ESTIMATORS["lgq"], quantizer, latents, linear, temperature)
    torch.testing.assert_close(gradient, expected, rtol=1e-9, atol=1e-12)


def test_the_split_estimator_gives_the_codebook_what_lgq_gives_it() -> None:
    gradients = []
    for name in ("lgq", "split", "straight-through"):
        quantizer, latents = random_case()
        quadratic(ESTIMATORS[name](quantizer, latents.requires_grad_(), 0.7)).sum().backward()
        gradients.append(quantizer.centres.grad)
    torch.testing.assert_close(gradients[1], gradients[0])
    assert gradients[0].norm() > 0
    assert gradients[2] is None


def test_rotation_keeps_the_angle_between_token_and_gradient_and_scales_by_the_norms() -> None:
    quantizer, latents = random_case()
    gradient = encoder_gradient(ESTIMATORS["rotation"], quantizer, latents, linear, 1.0)
    target, upstream = hard(quantizer, latents), WEIGHTS[None, :, None, None]
    scale = target.norm(dim=1) / latents.norm(dim=1)
    torch.testing.assert_close(gradient.norm(dim=1), scale * WEIGHTS.norm())

    def cosine(one: Tensor, other: Tensor) -> Tensor:
        return (one * other).sum(1) / (one.norm(dim=1) * other.norm(dim=1))

    torch.testing.assert_close(cosine(gradient, latents), cosine(upstream.expand_as(target), target))


def test_rotation_is_that_of_another_implementation() -> None:
    quantizer, latents = random_case()
    ours = encoder_gradient(ESTIMATORS["rotation"], quantizer, latents, quadratic, 1.0)
    tokens = latents.movedim(1, -1).detach().requires_grad_()
    rotated = rotate_to(tokens, hard(quantizer, latents).movedim(1, -1))
    (theirs,) = torch.autograd.grad(rotated.square().sum() / 2, tokens)
    torch.testing.assert_close(ours.movedim(1, -1), theirs)


def test_rotation_survives_a_token_at_the_origin() -> None:
    quantizer = planted(torch.tensor([[0.0, 0.0], [3.0, 0.0]]))
    latents = torch.zeros(1, 2, 1, 1, dtype=torch.float64)
    gradient = encoder_gradient(ESTIMATORS["rotation"], quantizer, latents, quadratic, 1.0)
    assert gradient.isfinite().all()


# The smoothed loss


COPIES = 4000
"""Pictures that are all the same: each has its own noise, so that their mean has little."""


def smoothed_by_hand(z: float, codes: list[float], sigma: float) -> float:
    """d/dz E f(Q(z + σε)) for f(q) = q²/2 and sorted codes on a line: borders lie half-way between neighbours."""

    def density(border: float) -> float:
        return math.exp(-(((border - z) / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi))

    # Moving z to the right trades the cell on a border's left for the one on its right, at the border's density.
    return sum(density((left + right) / 2) * (right**2 - left**2) / 2 for left, right in pairwise(codes))


@pytest.mark.parametrize("sigma", [0.3, 1.0])
def test_the_smoothed_gradient_of_a_quadratic_is_the_one_calculated_by_hand(sigma: float) -> None:
    codes = [-2.0, -0.5, 0.25, 1.5]
    quantizer, tokens = planted(torch.tensor(codes)[:, None]), [-1.1, 0.1, 0.6, 2.5]
    latents = torch.tensor(tokens, dtype=torch.float64).repeat(COPIES)[:, None, None, None]
    estimate = smoothed_gradient(quantizer, latents, quadratic, sigma, pairs=4)
    expected = torch.tensor([smoothed_by_hand(z, codes, sigma) for z in tokens], dtype=torch.float64)
    torch.testing.assert_close(estimate.mean.reshape(COPIES, 4).mean(0), expected, rtol=0, atol=0.04)
    assert estimate.squared_norm / COPIES == pytest.approx(expected.square().sum().item(), rel=0.05)


def test_tokens_of_one_picture_feel_each_others_noise_through_the_loss_alone() -> None:
    """f = q₁ q₂ over two tokens of one picture: the gradient in z₁ is Q̄'(z₁) times the mean of Q(z₂ + σε)."""
    quantizer, sigma = planted(torch.tensor([[-1.0], [1.0]])), 0.5
    latents = torch.tensor([0.2, 0.4], dtype=torch.float64).expand(COPIES, 1, 1, 2)
    estimate = smoothed_gradient(quantizer, latents, lambda q: q[:, 0, 0, 0] * q[:, 0, 0, 1], sigma, pairs=4)
    slopes = [2 * math.exp(-((z / sigma) ** 2) / 2) / (sigma * math.sqrt(2 * math.pi)) for z in (0.2, 0.4)]
    means = [math.erf(z / (sigma * math.sqrt(2))) for z in (0.2, 0.4)]
    expected = torch.tensor([slopes[0] * means[1], slopes[1] * means[0]], dtype=torch.float64)
    torch.testing.assert_close(estimate.mean.mean(0).flatten(), expected, rtol=0, atol=0.04)


def test_the_rounding_error_is_a_root_mean_square_over_tokens_and_dimensions() -> None:
    quantizer = planted(torch.tensor([[0.0, 0.0], [10.0, 0.0]]))
    latents = torch.tensor([[3.0, 4.0], [10.0, 1.0]], dtype=torch.float64)[:, :, None, None]
    assert rounding_error(quantizer, latents) == pytest.approx(math.sqrt((25 + 1) / 4), rel=1e-12)


# The comparison


def test_an_estimator_that_tells_the_truth_has_cosine_and_variance_ratio_1() -> None:
    quantizer, latents = random_case()
    truth_of = encoder_gradient(ESTIMATORS["lgq"], quantizer, latents, quadratic, 0.7)
    half_as_loud = SmoothedGradient((truth_of / 2, truth_of / 2), sigma=0.1, pairs=2)
    table = compare_estimators(quantizer, latents, quadratic, half_as_loud, [0.7, 5.0]).set_index(
        ["temperature", "estimator"]
    )
    assert table.loc[(0.7, "lgq"), "cosine"] == pytest.approx(1, rel=1e-12)
    assert table.loc[(0.7, "lgq"), "variance_ratio"] == pytest.approx(4, rel=1e-12)
    assert table.loc[(5.0, "lgq"), "cosine"] < 0.999
    assert table.loc[(5.0, "lgq"), "variance_ratio"] < 4
    assert table.loc[(0.7, "split")].equals(table.loc[(5.0, "straight-through")])
    assert table["agreement"].tolist() == pytest.approx([1.0] * 8)


def test_noise_is_not_taken_for_a_gradient() -> None:
    """Two halves that agree in nothing have no norm but noise's: what would be divided by it is not a number."""
    quantizer, latents = random_case()
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    table = compare_estimators(quantizer, latents, quadratic, SmoothedGradient((noise, -noise), 0.1, 2), [1.0])
    assert table["cosine"].isna().all()
    assert table["variance_ratio"].isna().all()


def pictures() -> np.ndarray:
    return torch.randint(256, (2, 3, 16, 16), dtype=torch.uint8, generator=torch.Generator().manual_seed(0)).numpy()


def studied(config: QuantizerConfig) -> Study:
    return study_of(build_tokenizer(BackboneConfig(channels=(8, 8, 8), dim=4), config, seed=0), pictures())


def test_the_microscope_looks_at_a_tokenizer_and_says_what_noise_it_used() -> None:
    study, images = studied(LGQConfig(codebook_size=16)), pictures()
    table = estimator_microscope(study, images, [0.1, 1.0], pairs=4)
    assert table["estimator"].tolist() == [*ESTIMATORS, *ESTIMATORS]
    assert table["temperature"].tolist() == [0.1] * 4 + [1.0] * 4
    assert (table["pairs"] == 4).all()
    assert table["sigma"].nunique() == 1
    assert table["sigma"].iloc[0] > 0
    assert table.equals(estimator_microscope(study, images, [0.1, 1.0], pairs=4))
    assert estimator_microscope(study, images, [0.1], sigma=0.25, pairs=2)["sigma"].iloc[0] == 0.25


# Nonsense


def test_nonsense_is_refused() -> None:
    quantizer, latents = random_case()
    with pytest.raises(InputError, match=r"sigma is 0\.0: give a positive number"):
        smoothed_gradient(quantizer, latents, quadratic, 0.0)
    with pytest.raises(InputError, match="pairs is 3: give an even number"):
        smoothed_gradient(quantizer, latents, quadratic, 0.1, pairs=3)
    grid = FSQConfig(levels=(5, 5)).build(3).double()
    with pytest.raises(InputError, match="fsq has 2 codes a position"):
        smoothed_gradient(grid, latents, quadratic, 0.1)
    with pytest.raises(InputError, match="lgq-channels has 2 codes a position"):
        beside_straight_through(study_of(method_tokenizer("lgq-channels"), noise_pictures(2)), noise_pictures(2), [1.0])
    with pytest.raises(InputError, match="fsq chooses its codes without a temperature"):
        estimator_microscope(studied(FSQConfig()), pictures(), [1.0])
    truth = smoothed_gradient(quantizer, latents, quadratic, 0.1, pairs=2)
    with pytest.raises(InputError, match=r"temperature is -1\.0: give a positive number"):
        compare_estimators(quantizer, latents, quadratic, truth, [-1.0])
