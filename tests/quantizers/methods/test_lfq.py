"""Tests of LFQ against vector-quantize-pytorch, of the order of its bits, and of the bounds of its loss."""

from __future__ import annotations

import math
from pathlib import Path

import pandas as pd
import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import LFQ as ReferenceLFQ

from lgq_explore import TrainConfig, resume, train
from lgq_explore.models import BackboneConfig
from lgq_explore.quantizers import LFQConfig, joint_codes
from lgq_explore.training.controls import Controls
from lgq_explore.training.loop import LogEvent
from tests.quantizers import unprojected

BITS = 6


def latents(seed: int = 0, scale: float = 0.02) -> Tensor:
    """[B, D, 5, 3]; at this scale some bits are certain and others are not."""
    return scale * torch.randn(4, BITS, 5, 3, generator=torch.Generator().manual_seed(seed))


def test_codes_numbers_values_losses_and_gradients_are_the_librarys() -> None:
    """With one group of all bits. The library's logarithm ends at 1e-5, and its loss is the weighted sum."""
    ours = unprojected.signs(LFQConfig(BITS, group_size=BITS))
    weights = ours.config.default_loss_weights
    reference = ReferenceLFQ(
        dim=BITS,
        codebook_size=2**BITS,
        entropy_loss_weight=weights["entropy"],
        commitment_loss_weight=weights["commitment"],
        diversity_gamma=ours.config.diversity,
    )
    leaves = [latents().requires_grad_() for _ in range(2)]
    coded = ours(leaves[0])
    (quantized, numbers, loss), parts = reference(
        leaves[1], inv_temperature=1 / ours.config.entropy_temperature, return_loss_breakdown=True
    )
    assert torch.equal(joint_codes(coded.codes, ours.levels), numbers.long())
    torch.testing.assert_close(coded.quantized, quantized)
    torch.testing.assert_close(coded.diagnostics["entropy_of_tokens"], parts.per_sample_entropy, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(coded.diagnostics["entropy_of_batch"], parts.batch_entropy, rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(coded.losses["commitment"], parts.commitment)
    our_loss = sum(weights[name] * value for name, value in coded.losses.items())
    torch.testing.assert_close(our_loss, loss, rtol=1e-3, atol=1e-3)
    upstream = latents(seed=1, scale=1.0)
    pairs = ((our_loss, loss), ((coded.quantized * upstream).sum(), (quantized * upstream).sum()))
    for mine, theirs in pairs:
        (gradient,) = torch.autograd.grad(mine, leaves[0], retain_graph=True)
        (expected,) = torch.autograd.grad(theirs, leaves[1], retain_graph=True)
        assert expected.norm() > 0
        torch.testing.assert_close(gradient, expected, rtol=1e-2, atol=1e-2 * expected.abs().max().item())


def test_the_joint_code_is_the_binary_number_of_the_signs_the_first_dimension_highest() -> None:
    signs = torch.tensor([1.0, -1, 1, -1, -1, 1]).reshape(1, BITS, 1, 1)
    for group_size in (1, 2, 3, 6):
        quantizer = unprojected.signs(LFQConfig(BITS, group_size=group_size)).eval()
        codes = quantizer(signs).codes
        assert joint_codes(codes, quantizer.levels).item() == 0b101001
        assert torch.equal(quantizer.lookup(codes), signs)
        assert quantizer.code_points()[0b101001].tolist() == signs.flatten().tolist()


def test_a_zero_is_negative() -> None:
    assert unprojected.signs(LFQConfig(BITS))(torch.zeros(1, BITS, 1, 1)).codes.flatten().tolist() == [0] * BITS


@pytest.mark.parametrize("group_size", [1, 2, 6])
def test_codes_have_groups_of_bits_with_a_usage_each(group_size: int) -> None:
    quantizer = unprojected.signs(LFQConfig(BITS, group_size=group_size))
    assert quantizer.levels == (2**group_size,) * (BITS // group_size)
    assert quantizer.codebook_size == 2**BITS
    assert quantizer(latents()).codes.shape == (4, BITS // group_size, 5, 3)


def test_the_loss_is_negative_where_codes_are_used_alike_and_bounded() -> None:
    quantizer = unprojected.signs(LFQConfig(BITS))
    corners = (2.0 * ((torch.arange(64)[:, None] >> torch.arange(BITS)) & 1) - 1)[:, :, None, None]
    losses = quantizer(corners).losses
    assert losses["entropy"].item() == pytest.approx(-BITS * math.log(2))
    assert losses["commitment"].item() == 0
    assert quantizer(corners[:1]).losses["entropy"].item() == pytest.approx(0, abs=1e-6)
    assert -BITS * math.log(2) < quantizer(latents()).losses["entropy"].item() < 0


def test_the_published_settings() -> None:
    config = LFQConfig()
    assert (config.diversity, config.entropy_temperature) == (1, 0.01)
    assert (config.warmup_factor, config.warmup_steps) == (3, 2000)
    assert config.default_loss_weights == {"entropy": 0.1, "commitment": 0.25}
    assert not config.build(8).learned_groups


@pytest.mark.usefixtures("own_data_and_no_network")
def test_a_run_that_is_stopped_in_its_warm_up_comes_to_the_same_weights(tmp_path: Path) -> None:
    recipe = TrainConfig(
        data="fake",
        steps=4,
        batch_size=4,
        log_steps=1,
        backbone=BackboneConfig(channels=(8, 8, 8), dim=4),
        quantizer=LFQConfig(BITS, warmup_steps=3),
    )
    controls = Controls()

    def stop_at_the_second_step(event: LogEvent) -> None:
        if event.row["step"] == 2:
            controls.stop()

    whole = train(recipe, tmp_path / "whole", device="cpu", progress=False)
    train(recipe, tmp_path / "run", device="cpu", on_log=stop_at_the_second_step, controls=controls, progress=False)
    again = resume(tmp_path / "run", device="cpu", progress=False)
    states = [run.tokenizer().state_dict() for run in (whole, again)]
    assert all(torch.equal(tensor, states[1][name]) for name, tensor in states[0].items())
    history = whole.history()
    weights = 0.1 * pd.Series([3, 7 / 3, 5 / 3, 1])
    expected = history["loss_l1"] + 0.25 * history["loss_commitment"] + weights * history["loss_entropy"]
    assert history["loss"].tolist() == pytest.approx(expected.tolist(), rel=1e-5)
