"""Tests that frozen codes are drawn from the data and never move, against a library's VQ that learns no codebook."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import VectorQuantize

from lgq_explore.quantizers import FrozenConfig, to_tokens
from lgq_explore.quantizers.methods.frozen import FrozenVQ

SIZE, DIM = 24, 5


def random_latents(seed: int = 0) -> Tensor:
    return torch.randn(4, DIM, 4, 3, generator=torch.Generator().manual_seed(seed))


def built(**settings: str) -> FrozenVQ:
    """In training mode, started from the tokens of the latents."""
    quantizer = FrozenConfig(SIZE, **settings).build(DIM)
    assert isinstance(quantizer, FrozenVQ)
    quantizer.initialize(to_tokens(random_latents()), torch.Generator().manual_seed(0))
    return quantizer


def test_a_librarys_vq_that_learns_no_codebook_is_this_one() -> None:
    torch.manual_seed(0)
    reference = VectorQuantize(
        DIM, SIZE, accept_image_fmap=True, rotation_trick=False, ema_update=False, threshold_ema_dead_code=0
    )
    ours = built().with_codebooks([reference.codebook])
    latents = [random_latents(1).requires_grad_() for _ in range(2)]
    coded, (quantized, codes, loss) = ours(latents[0]), reference(latents[1])
    assert torch.equal(coded.codes[:, 0], codes)
    torch.testing.assert_close(coded.quantized, quantized)
    torch.testing.assert_close(coded.losses["commitment"], loss)  # its weight is 1 by default
    direction = random_latents(2)
    (0.25 * coded.losses["commitment"] + (coded.quantized * direction).sum()).backward()
    (0.25 * loss + (quantized * direction).sum()).backward()
    torch.testing.assert_close(latents[0].grad, latents[1].grad)


def test_codes_are_different_tokens_and_the_decoders_gradient_goes_straight_through() -> None:
    quantizer, latents = built(), random_latents().requires_grad_()
    tokens, codebook = to_tokens(random_latents()), quantizer.codebook
    assert len({int((tokens == code).all(1).nonzero()) for code in codebook}) == SIZE
    upstream = random_latents(3)
    (gradient,) = torch.autograd.grad((quantizer(latents).quantized * upstream).sum(), latents)
    assert torch.equal(gradient, upstream)


def test_nothing_moves_the_codes() -> None:
    quantizer = built()
    before = quantizer.codebook.clone()
    assert list(quantizer.parameters()) == []
    for seed in range(3):
        quantizer(random_latents(seed))
    assert torch.equal(quantizer.codebook, before)


def test_codes_can_be_spread_over_the_tokens_at_the_start() -> None:
    assert not torch.equal(built(initialization="kmeans++").codebook, built().codebook)


def test_settings_out_of_range_are_named() -> None:
    with pytest.raises(ValueError, match="initialization is 'uniform': choose one of random"):
        FrozenConfig(initialization="uniform")
    with pytest.raises(ValueError, match="codebook_size is 1"):
        FrozenConfig(1)
