"""Tests of OptVQ: its codes in training and in evaluation, its losses, its start, and what the transport is for."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import OptVQConfig, nearest_codes, to_tokens
from lgq_explore.quantizers.methods.optvq import OptVQ
from lgq_explore.quantizers.transport import transported_codes

SIZE, DIM = 24, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(size: int = SIZE, **settings: object) -> OptVQ:
    quantizer = OptVQConfig(size, **settings).build(DIM, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, OptVQ)
    return quantizer


def test_training_takes_the_codes_of_the_transport_and_evaluation_the_nearest() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3)
    tokens, codebook = to_tokens(latents), quantizer.codebooks()[0]
    trained, evaluated = (quantizer.train(mode)(latents) for mode in (True, False))
    assert torch.equal(to_tokens(trained.codes)[:, 0], transported_codes(tokens, codebook, 10.0, 5))
    assert torch.equal(to_tokens(evaluated.codes)[:, 0], nearest_codes(tokens, codebook))
    assert (trained.codes != evaluated.codes).double().mean() > 0.2
    torch.testing.assert_close(to_tokens(trained.quantized), codebook[to_tokens(trained.codes)[:, 0]])


def test_a_code_depends_on_the_other_tokens_of_a_batch_in_training_alone() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3)
    for mode in (True, False):
        alone, together = quantizer.train(mode)(latents[:1]).codes, quantizer(latents).codes[:1]
        assert torch.equal(alone, together) != mode


def test_losses_and_gradients_are_those_of_the_formula() -> None:
    quantizer, upstream = built().double(), normal(48, DIM, seed=2).double()
    leaves = [normal(4, DIM, 4, 3, seed=1).double().requires_grad_() for _ in range(2)]
    coded, tokens = quantizer(leaves[0]), to_tokens(leaves[1])
    layer = quantizer.projection
    vectors = (quantizer.vectors @ layer.weight.T + layer.bias)[to_tokens(coded.codes)[:, 0]]
    losses = {
        "commitment": functional.mse_loss(tokens, vectors.detach()),
        "codebook": functional.mse_loss(vectors, tokens.detach()),
    }
    weights = quantizer.config.default_loss_weights
    parts = (quantizer.vectors, layer.weight, layer.bias)
    totals = [
        sum(weights[name] * terms[name] for name in weights) + (through * upstream).sum()
        for terms, through in ((coded.losses, to_tokens(coded.quantized)), (losses, tokens))
    ]
    for mine, theirs in zip(
        *(torch.autograd.grad(total, (leaf, *parts)) for total, leaf in zip(totals, leaves, strict=True)), strict=True
    ):
        torch.testing.assert_close(mine, theirs)


def test_transport_keeps_a_codebook_in_use_that_the_nearest_code_leaves_alone() -> None:
    """Codes far from all tokens: most are never the nearest, and all have tokens by transport."""
    tokens = normal(480, DIM)[:, :, None, None]
    used = {}
    for rounds in (5, 0):
        quantizer = built()
        with torch.no_grad():
            quantizer.vectors.copy_(3 + 0.3 * normal(SIZE, DIM, seed=1))
        quantizer.projection = torch.nn.Identity()
        object.__setattr__(quantizer.config, "rounds", rounds)
        optimizer = torch.optim.Adam([quantizer.vectors], lr=0.05)
        for _ in range(100):
            optimizer.zero_grad()
            quantizer.train()(tokens).losses["codebook"].backward()
            optimizer.step()
        used[rounds] = quantizer.eval()(tokens).codes.unique().numel()
    assert used[5] == SIZE
    assert used[0] < SIZE / 2


def test_it_starts_from_means_of_tokens_by_a_drawn_projection() -> None:
    quantizer, tokens = built(), 10 + normal(96, DIM)
    quantizer.initialize(tokens, torch.Generator().manual_seed(0))
    assert (quantizer.vectors.mean(0) - 10).abs().max() < 0.5
    projected = functional.linear(quantizer.vectors, quantizer.projection.weight, quantizer.projection.bias)
    torch.testing.assert_close(quantizer.codebooks()[0], projected)
    wide = OptVQConfig(2).build(256, torch.Generator().manual_seed(0))
    assert wide.projection.weight.std().item() == pytest.approx(1 / 16, rel=0.02)


def test_the_published_settings() -> None:
    config = OptVQConfig()
    assert (config.sharpness, config.rounds) == (10, 5)
    assert config.default_loss_weights == {"commitment": 1, "codebook": 0.25}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"sharpness": 0.0}, r"sharpness is 0\.0"),
        ({"rounds": 0}, "rounds is 0: give at least 1; `vq-gradient`"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        OptVQConfig(**settings)
