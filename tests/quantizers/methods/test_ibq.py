"""Tests of IBQ against its formula with a table of tokens × codes, and of what distinguishes it."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from lgq_explore.quantizers import IBQConfig, to_tokens
from lgq_explore.quantizers.entropies import entropy, soft_entropies
from lgq_explore.quantizers.methods.ibq import IBQ

SIZE, DIM = 24, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def built(size: int = SIZE) -> IBQ:
    quantizer = IBQConfig(size).build(DIM, torch.Generator().manual_seed(0))
    assert isinstance(quantizer, IBQ)
    return quantizer


def by_a_table(tokens: Tensor, codebook: Tensor, config: IBQConfig) -> tuple[Tensor, dict[str, Tensor]]:
    """The vectors and losses of the paper's formula, with an index [N, K] that has the gradient of the softmax."""
    logits = tokens @ codebook.T
    soft = logits.softmax(1)
    hard = functional.one_hot(logits.argmax(1), len(codebook)).to(logits)
    quantized, chosen = (hard + soft - soft.detach()) @ codebook, hard @ codebook
    certain = (logits / config.entropy_temperature).softmax(1)
    of_tokens, of_batch = torch.special.entr(certain).sum(1).mean(), torch.special.entr(certain.mean(0)).sum()
    return quantized, {
        "quantization": functional.mse_loss(quantized, tokens),
        "commitment": functional.mse_loss(tokens, chosen.detach()),
        "codebook": functional.mse_loss(chosen, tokens.detach()),
        "entropy": of_tokens - config.diversity * of_batch,
    }


def test_vectors_losses_and_gradients_are_those_of_the_table() -> None:
    ours, upstream = built().double(), normal(48, DIM, seed=2).double()
    leaves = [(0.1 * normal(4, DIM, 4, 3, seed=1)).double().requires_grad_() for _ in range(2)]
    codebook = ours.codebook.detach().clone().requires_grad_()
    coded = ours(leaves[0])
    quantized, losses = by_a_table(to_tokens(leaves[1]), codebook, ours.config)
    torch.testing.assert_close(to_tokens(coded.quantized), quantized)
    pairs = {name: (coded.losses[name], losses[name]) for name in ours.config.default_loss_weights}
    pairs["decoder"] = (to_tokens(coded.quantized) * upstream).sum(), (quantized * upstream).sum()
    for name, (mine, theirs) in pairs.items():
        torch.testing.assert_close(mine, theirs)
        inputs = (leaves[0], ours.codebook), (leaves[1], codebook)
        gradients, expected = (
            torch.autograd.grad(value, of, retain_graph=True, allow_unused=True)
            for value, of in zip((mine, theirs), inputs, strict=True)
        )
        for ours_, table in zip(gradients, expected, strict=True):
            # One path gives None, and the other zeros, to what a loss leaves alone.
            both = [torch.zeros(1).double() if each is None else each for each in (ours_, table)]
            torch.testing.assert_close(*torch.broadcast_tensors(*both), msg=name)


def test_the_decoder_moves_every_code_and_not_only_the_chosen_ones() -> None:
    quantizer = built()
    coded = quantizer(normal(1, DIM, 1, 2))
    assert coded.codes.unique().numel() <= 2
    coded.quantized.sum().backward()
    assert (quantizer.codebook.grad.norm(dim=1) > 0).all()


def test_a_long_code_is_preferred_to_a_near_one() -> None:
    quantizer = built().with_codebooks([torch.tensor([[1.0, 0, 0, 0, 0], [3.0, 3, 0, 0, 0]])]).eval()
    assert quantizer(torch.eye(DIM)[:1, :, None, None]).codes.item() == 1


def test_soft_entropies_have_their_known_values_and_finite_gradients() -> None:
    codes = torch.eye(4)
    unsure, certain, alike = (soft_entropies(queries, codes) for queries in (0 * codes, 1e4 * codes, 1e4 * codes[:1]))
    assert [unsure.of_tokens.item(), unsure.of_batch.item()] == pytest.approx([math.log(4)] * 2)
    assert [certain.of_tokens.item(), certain.of_batch.item()] == pytest.approx([0, math.log(4)], abs=1e-6)
    assert [alike.of_tokens.item(), alike.of_batch.item()] == pytest.approx([0, 0], abs=1e-6)
    shares = torch.tensor([1.0, 0.0], requires_grad=True)
    entropy(shares).backward()
    assert shares.grad.isfinite().all()


def test_the_published_settings() -> None:
    config = IBQConfig()
    assert (config.entropy_temperature, config.diversity) == (0.01, 1)
    assert config.default_loss_weights == {"quantization": 1, "commitment": 1, "codebook": 0.25, "entropy": 0.05}
    codebook = IBQConfig(4096).build(16, torch.Generator().manual_seed(0)).codebook
    assert codebook.std().item() == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"entropy_temperature": 0.0}, r"entropy_temperature is 0\.0"),
        ({"diversity": -1.0}, r"diversity is -1\.0"),
        ({"codebook_size": 1}, "codebook_size is 1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        IBQConfig(**settings)
