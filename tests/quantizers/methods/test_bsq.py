"""Tests of BSQ against vector-quantize-pytorch and the bound of its error."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import LFQ as ReferenceLFQ

from lgq_explore.quantizers import BSQConfig, LFQConfig, joint_codes, to_tokens
from tests.quantizers import unprojected

BITS = 6


def latents(seed: int = 0) -> Tensor:
    return torch.randn(4, BITS, 5, 3, generator=torch.Generator().manual_seed(seed))


def test_codes_numbers_values_losses_and_gradients_are_the_librarys() -> None:
    """With one group of all bits. The library has the mean over dimensions in the commitment, and 1 for 1/√b as the
    derivative of the sign.
    """
    ours = unprojected.signs(BSQConfig(BITS, group_size=BITS))
    reference = ReferenceLFQ(
        dim=BITS, codebook_size=2**BITS, spherical=True, entropy_loss_weight=1.0, commitment_loss_weight=1.0
    )
    leaves = [latents().requires_grad_() for _ in range(2)]
    coded = ours(leaves[0])
    (quantized, numbers, loss), parts = reference(leaves[1], inv_temperature=1.0, return_loss_breakdown=True)
    assert torch.equal(joint_codes(coded.codes, ours.levels), numbers.long())
    torch.testing.assert_close(coded.quantized, quantized)
    torch.testing.assert_close(coded.losses["entropy"], parts.per_sample_entropy - parts.batch_entropy)
    torch.testing.assert_close(coded.losses["commitment"], BITS * parts.commitment)
    upstream = latents(seed=1)
    pairs = (
        (coded.losses["entropy"] + coded.losses["commitment"] / BITS, loss),
        (BITS**0.5 * (coded.quantized * upstream).sum(), (quantized * upstream).sum()),
    )
    for mine, theirs in pairs:
        (gradient,) = torch.autograd.grad(mine, leaves[0], retain_graph=True)
        (expected,) = torch.autograd.grad(theirs, leaves[1], retain_graph=True)
        assert expected.norm() > 0
        torch.testing.assert_close(gradient, expected, rtol=1e-3, atol=1e-5)


def test_points_and_codes_have_length_1() -> None:
    quantizer = unprojected.signs(BSQConfig(BITS)).eval()
    points, vectors = quantizer.continuous(100 * latents()), quantizer(latents()).quantized
    torch.testing.assert_close(points.norm(dim=1), torch.ones(4, 5, 3))
    torch.testing.assert_close(vectors.norm(dim=1), torch.ones(4, 5, 3))
    torch.testing.assert_close(vectors.abs(), torch.full_like(vectors, BITS**-0.5))


@pytest.mark.parametrize("bits", [1, 4, 18, 64])
def test_the_error_has_its_bound_which_is_reached_along_an_axis(bits: int) -> None:
    """Theorem of section 3 of the paper: |u − q|² is at most 2 − 2/√b."""
    quantizer = unprojected.signs(BSQConfig(bits)).train()
    bound = 2 - 2 * bits**-0.5
    noise = torch.randn(200, bits, 1, 1, generator=torch.Generator().manual_seed(0))
    error = to_tokens(quantizer.continuous(noise) - quantizer(noise).quantized).square().sum(1)
    assert (error <= bound + 1e-5).all()
    axis = torch.eye(bits)[:1, :, None, None]
    assert quantizer(axis).losses["commitment"].item() == pytest.approx(bound, abs=1e-6)


def test_the_length_of_latents_decides_nothing_unlike_in_lfq() -> None:
    short, long = latents(), 50 * latents()
    bsq, lfq = unprojected.signs(BSQConfig(BITS)), unprojected.signs(LFQConfig(BITS))
    torch.testing.assert_close(bsq(short).losses, bsq(long).losses)
    assert (lfq(short).losses["commitment"] - lfq(long).losses["commitment"]).abs() > 1


def test_latents_without_a_length_have_finite_gradients() -> None:
    quantizer, leaf = unprojected.signs(BSQConfig(BITS)), torch.zeros(1, BITS, 2, 2, requires_grad=True)
    coded = quantizer(leaf)
    (coded.quantized.sum() + sum(coded.losses.values())).backward()
    assert leaf.grad.isfinite().all()


@pytest.mark.parametrize("bits", [18, 36])
def test_groups_of_nine_bits_are_counted_where_joint_codes_are_not(bits: int) -> None:
    quantizer = BSQConfig(bits, group_size=9).build(8)
    assert quantizer.levels == (512,) * (bits // 9)
    assert quantizer.can_be_listed == (bits == 18)
    assert quantizer(torch.randn(1, 8, 2, 2)).codes.shape == (1, bits // 9, 2, 2)


def test_the_published_settings() -> None:
    config = BSQConfig()
    assert (config.diversity, config.entropy_temperature, config.warmup_factor, config.warmup_steps) == (1, 1, 3, 2000)
    assert config.group_size == 1
    assert config.default_loss_weights == {"entropy": 0.1, "commitment": 0.0}
