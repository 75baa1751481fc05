"""Tests of the entropies of soft bits and of the warm-up that LFQ and BSQ share."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import LFQConfig
from lgq_explore.quantizers.entropies import Entropies
from lgq_explore.quantizers.signs import SignConfig, bits_of, sign_entropies
from lgq_explore.runs.config import TrainConfig
from lgq_explore.training.objectives.quantizer_loss import QuantizerLoss


def logits(tokens: int, bits: int, seed: int = 0) -> Tensor:
    return 2 * torch.randn(tokens, bits, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.5


def listed(logits: Tensor, group_size: int) -> Entropies:
    """The entropies from a table of tokens × codes of each group."""
    bits = bits_of(torch.arange(2**group_size), group_size).to(logits)
    of_tokens, of_batch = logits.new_zeros(()), logits.new_zeros(())
    for group in logits.split(group_size, dim=1):
        responsibilities = (group @ bits.T).softmax(1)
        of_tokens = of_tokens + torch.special.entr(responsibilities).sum(1).mean()
        of_batch = of_batch + torch.special.entr(responsibilities.mean(0)).sum()
    return Entropies(of_tokens, of_batch)


@pytest.mark.parametrize("group_size", [1, 2, 3, 6])
def test_entropies_and_their_gradients_are_those_of_the_listed_codes(group_size: int) -> None:
    gradients = []
    for entropies_of in (sign_entropies, listed):
        leaf = logits(40, 6).requires_grad_()
        found = entropies_of(leaf, group_size)
        both = torch.stack([found.of_tokens, found.of_batch])
        gradients.append((both.detach(), *(torch.autograd.grad(each, leaf, retain_graph=True)[0] for each in both)))
    for ours, expected in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, expected)


def test_bits_taken_for_independent_have_the_larger_entropy_unless_they_are() -> None:
    dependent = logits(40, 4)
    wholes, parts = (sign_entropies(dependent, size) for size in (4, 1))
    torch.testing.assert_close(wholes.of_tokens, parts.of_tokens)
    assert wholes.of_batch < parts.of_batch - 0.01
    values = torch.tensor([-1.0, 0.5], dtype=torch.float64)
    independent = torch.cartesian_prod(*[values] * 4)
    wholes, parts = (sign_entropies(independent, size) for size in (4, 1))
    torch.testing.assert_close(wholes.of_batch, parts.of_batch)


@pytest.mark.parametrize("group_size", [1, 3])
def test_known_entropies(group_size: int) -> None:
    corners = 100.0 * torch.tensor(list(itertools.product((-1, 1), repeat=3)))
    certain = sign_entropies(corners, group_size)
    assert certain.of_tokens.item() == pytest.approx(0, abs=1e-6)
    assert certain.of_batch.item() == pytest.approx(3 * math.log(2))
    unsure = sign_entropies(torch.zeros(5, 3), group_size)
    assert [unsure.of_tokens.item(), unsure.of_batch.item()] == pytest.approx([3 * math.log(2)] * 2)


@pytest.mark.parametrize("group_size", [1, 3])
def test_tokens_that_agree_for_certain_give_finite_gradients(group_size: int) -> None:
    leaf = torch.full((7, 3), 5000.0, requires_grad=True)
    found = sign_entropies(leaf, group_size)
    (found.of_tokens - found.of_batch).backward()
    assert found.of_batch.item() == 0
    assert leaf.grad.isfinite().all()


def test_the_first_bit_is_the_highest() -> None:
    assert bits_of(torch.tensor([6, 1]), 3).tolist() == [[1, 1, 0], [0, 0, 1]]


def test_the_weight_of_the_entropy_falls_to_its_value() -> None:
    config = LFQConfig(warmup_factor=3.0, warmup_steps=2000)
    assert [config.loss_factor("entropy", step) for step in (0, 1000, 2000, 10**6)] == [3, 2, 1, 1]
    assert config.loss_factor("commitment", 0) == 1
    assert replace(config, warmup_steps=0).loss_factor("entropy", 0) == 1
    recipe = TrainConfig(quantizer=config, steps=5000)
    terms = {
        name: QuantizerLoss(name, recipe.loss_weights[name], QuantizerLoss.Settings(), recipe)
        for name in ("entropy", "commitment")
    }
    assert terms["entropy"].weight_at(0) == pytest.approx(0.3)
    assert terms["entropy"].weight_at(2000) == pytest.approx(0.1)
    assert terms["commitment"].weight_at(0) == terms["commitment"].weight_at(2000) == 0.25


@pytest.mark.parametrize(
    ("asked", "bits"), [(2, 1), (3, 2), (9, 3), (11, 3), (12, 4), (1000, 10), (1024, 10), (2**40, 40)]
)
def test_another_size_takes_the_power_of_two_that_is_nearest_in_ratio(asked: int, bits: int) -> None:
    assert LFQConfig.for_codebook_size(asked).bits == bits


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"bits": 0}, "bits is 0"),
        ({"bits": 129}, "bits is 129"),
        ({"group_size": 3}, "group_size is 3: it must divide the 10 bits"),
        ({"bits": 34, "group_size": 17}, "group_size is 17: give 1 to 16"),
        ({"entropy_temperature": 0.0}, r"entropy_temperature is 0\.0"),
        ({"diversity": -1.0}, r"diversity is -1\.0"),
        ({"warmup_factor": math.inf}, "warmup_factor is inf"),
        ({"warmup_steps": -1}, "warmup_steps is -1"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SignConfig(**settings)
