"""Tests of SimVQ against vector-quantize-pytorch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor
from vector_quantize_pytorch import SimVQ as ReferenceSimVQ

from lgq_explore.quantizers import SimVQConfig, SimVQMLPConfig
from lgq_explore.quantizers.base import VectorQuantizerConfig
from lgq_explore.quantizers.methods.simvq import SimVQ

SIZE, DIM = 32, 6


def random_latents(seed: int = 0) -> Tensor:
    return torch.randn(4, DIM, 5, 3, generator=torch.Generator().manual_seed(seed))


LINEAR, WITH_BIAS, MLP = SimVQConfig(SIZE), SimVQConfig(SIZE, bias=True), SimVQMLPConfig(SIZE)


def built(config: VectorQuantizerConfig, seed: int = 0) -> SimVQ:
    torch.manual_seed(seed)
    quantizer = config.build(DIM)
    assert isinstance(quantizer, SimVQ)
    return quantizer


@pytest.mark.parametrize(("config", "weight"), [(LINEAR, 1.0), (WITH_BIAS, 1.0), (MLP, 10.0)])
def test_codes_values_losses_and_gradients_are_the_librarys_through_some_updates(
    config: VectorQuantizerConfig, weight: float
) -> None:
    ours = built(config)
    reference = ReferenceSimVQ(
        DIM,
        SIZE,
        codebook_transform=copy.deepcopy(ours.mapping),
        channel_first=True,
        rotation_trick=False,
        commitment_weight=weight,
    )
    reference.frozen_codebook.copy_(ours.frozen)
    optimizers = [
        torch.optim.SGD(parameters, lr=0.1 / weight)
        for parameters in (ours.mapping.parameters(), reference.code_transform.parameters())
    ]
    for step in range(3):
        latents = [random_latents(step).requires_grad_() for _ in range(2)]
        coded, (quantized, codes, loss) = ours(latents[0]), reference(latents[1])
        our_loss = sum(config.default_loss_weights[name] * value for name, value in coded.losses.items())
        assert torch.equal(coded.codes[:, 0], codes)
        torch.testing.assert_close(coded.quantized, quantized)
        torch.testing.assert_close(our_loss, loss)
        direction = torch.randn(quantized.shape)
        totals = ((coded.quantized * direction).sum() + our_loss, (quantized * direction).sum() + loss)
        for optimizer, total in zip(optimizers, totals, strict=True):
            optimizer.zero_grad()
            total.backward()
            optimizer.step()
        torch.testing.assert_close(latents[0].grad, latents[1].grad)
        for value, expected in zip(ours.mapping.parameters(), reference.code_transform.parameters(), strict=True):
            torch.testing.assert_close(value.grad, expected.grad)
            torch.testing.assert_close(value, expected)


@pytest.mark.parametrize("config", [LINEAR, WITH_BIAS, MLP])
def test_a_step_moves_every_code_and_leaves_the_frozen_vectors(config: VectorQuantizerConfig) -> None:
    quantizer = built(config)
    frozen, (before,) = quantizer.frozen.clone(), quantizer.codebooks()
    coded = quantizer(random_latents()[:1, :, :1, :2])
    assert coded.codes.unique().numel() <= 2
    coded.losses["codebook"].backward()
    torch.optim.SGD(quantizer.parameters(), lr=0.1).step()
    assert torch.equal(quantizer.frozen, frozen)
    assert ((quantizer.codebooks()[0] - before).norm(dim=1) > 0).all()


def test_the_codebook_loss_leaves_the_encoder_alone_and_the_commitment_the_codes() -> None:
    quantizer, latents = built(LINEAR), random_latents().requires_grad_()
    losses = quantizer(latents).losses
    inputs = [latents, quantizer.mapping.weight]
    of_encoder, of_map = torch.autograd.grad(losses["codebook"], inputs, allow_unused=True, retain_graph=True)
    assert of_encoder is None
    assert of_map.norm() > 0
    of_encoder, of_map = torch.autograd.grad(losses["commitment"], inputs, allow_unused=True)
    assert of_encoder.norm() > 0
    assert of_map is None


def test_frozen_vectors_are_drawn_from_the_published_distribution() -> None:
    torch.manual_seed(0)
    frozen = SimVQConfig(4096).build(16).frozen
    assert frozen.std().item() == pytest.approx(16**-0.5, rel=0.02)
    assert frozen.mean().item() == pytest.approx(0, abs=0.01)


def test_the_maps_are_the_published_ones() -> None:
    assert [tuple(weight.shape) for weight in built(LINEAR).parameters()] == [(DIM, DIM)]
    assert [tuple(weight.shape) for weight in built(WITH_BIAS).parameters()] == [(DIM, DIM), (DIM,)]
    shapes = [tuple(weight.shape) for weight in built(MLP).parameters()]
    assert shapes == [(2 * DIM, DIM), (2 * DIM,), (DIM, 2 * DIM), (DIM,)]


def test_a_bias_moves_all_codes_by_one_vector() -> None:
    quantizer = built(WITH_BIAS)
    (before,) = quantizer.codebooks()
    by = torch.arange(DIM) + 1.0
    with torch.no_grad():
        quantizer.mapping.bias.add_(by)
    torch.testing.assert_close(quantizer.codebooks()[0] - before, by.expand_as(before), rtol=0, atol=1e-5)
