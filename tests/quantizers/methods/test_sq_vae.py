"""Tests of SQ-VAE against its formula with a table of tokens × codes, and of what its variance does."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import SQVAEConfig, TemperatureSchedule, to_tokens
from lgq_explore.quantizers.methods.sq_vae import SQVAE
from lgq_explore.quantizers.noise import Noise

SIZE, DIM = 24, 5
CPU = torch.device("cpu")


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(**settings: float) -> SQVAE:
    config = replace(SQVAEConfig(SIZE), **settings)
    quantizer = config.build(DIM, torch.Generator().manual_seed(0)).double()
    assert isinstance(quantizer, SQVAE)
    return quantizer


def by_a_table(
    tokens: Tensor, codebook: Tensor, variance: Tensor, temperature: float, step: int
) -> tuple[Tensor, dict[str, Tensor]]:
    """The relaxed draw and the losses of vision/quantizer.py, a token in place of an image."""
    logits = -(tokens[:, None] - codebook).square().sum(2) / (2 * variance)
    noise = Noise(step, len(tokens)).gumbel(slice(0, len(tokens)), len(codebook), CPU)
    quantized = ((logits + noise) / temperature).softmax(1) @ codebook
    p, log_p = logits.softmax(1), logits.log_softmax(1)
    return quantized, {
        "entropy": (p * log_p).sum() / len(tokens),
        "distance": ((tokens - quantized).square() / (2 * variance)).sum(1).mean(),
    }


@pytest.mark.parametrize("progress", [0.0, 0.4, 1.0])
def test_vectors_losses_and_gradients_are_those_of_the_table(progress: float) -> None:
    ours, latents = built(), normal(4, DIM, 4, 3, seed=1).requires_grad_()
    ours(latents)  # a step, so that the noise is not that of the first
    ours.anneal(progress)
    coded, upstream = ours(latents), normal(48, DIM, seed=2)
    codebook, log_variance = (each.detach().clone().requires_grad_() for each in (ours.codebook, ours.log_variance))
    variance = DIM * (1 / 64 + log_variance.exp())
    tokens = to_tokens(latents)
    quantized, losses = by_a_table(tokens, codebook, variance, 0.03**progress, step=1)
    torch.testing.assert_close(to_tokens(coded.quantized), quantized)
    assert coded.losses.keys() == losses.keys()
    pairs = {name: (coded.losses[name], losses[name]) for name in losses}
    pairs["decoder"] = (to_tokens(coded.quantized) * upstream).sum(), (quantized * upstream).sum()
    for name, (mine, theirs) in pairs.items():
        torch.testing.assert_close(mine, theirs, msg=name)
        gradients = torch.autograd.grad(mine, (latents, ours.codebook, ours.log_variance), retain_graph=True)
        expected = torch.autograd.grad(theirs, (latents, codebook, log_variance), retain_graph=True)
        for gradient, of_table in zip(gradients, expected, strict=True):
            torch.testing.assert_close(gradient, of_table, rtol=1e-6, atol=1e-9, msg=name)


def test_the_decoder_sees_a_relaxed_draw_in_training_and_the_nearest_code_at_evaluation() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3, seed=1)
    first, second = quantizer(latents), quantizer(latents)
    assert not torch.allclose(first.quantized, second.quantized)
    assert torch.equal(first.codes, second.codes)
    evaluated = quantizer.eval()(latents)
    nearest = torch.cdist(to_tokens(latents), quantizer.codebook).argmin(1)
    torch.testing.assert_close(to_tokens(evaluated.quantized), quantizer.codebook[nearest])
    assert torch.equal(to_tokens(evaluated.codes)[:, 0], nearest)


def test_the_draw_goes_on_from_the_step_that_was_saved() -> None:
    one, other, latents = built(), built(), normal(2, DIM, 3, 3)
    for _ in range(3):
        one(latents)
    other.load_state_dict(one.state_dict())
    assert torch.equal(one(latents).quantized, other(latents).quantized)


def test_the_variance_begins_at_the_published_one_and_has_its_least() -> None:
    quantizer = SQVAEConfig(SIZE).build(64)
    assert isinstance(quantizer, SQVAE)
    assert quantizer.variance.item() == pytest.approx(21)
    with torch.no_grad():
        quantizer.log_variance.fill_(-100.0)
    assert quantizer.variance.item() == pytest.approx(1)
    free = SQVAEConfig(SIZE, least_variance=0.0).build(64)
    assert isinstance(free, SQVAE)
    assert free.variance.item() == pytest.approx(20)


def test_a_start_from_tokens_of_another_unit_is_the_same_in_that_unit() -> None:
    tokens, latents = normal(200, DIM, seed=3), normal(2, DIM, 3, 3, seed=4)
    answers = []
    for unit in (1.0, 100.0):
        quantizer = built()
        quantizer.initialize(unit * tokens, torch.Generator().manual_seed(0))
        coded = quantizer(unit * latents)
        answers.append((coded.quantized / unit, *coded.losses.values()))
    for one, other in zip(*answers, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


def test_a_better_reconstruction_lets_the_variance_fall_and_the_losses_alone_let_it_rise() -> None:
    quantizer, latents = built(), normal(4, DIM, 4, 3, seed=1)
    coded = quantizer(latents)
    (alone,) = torch.autograd.grad(sum(coded.losses.values()), quantizer.log_variance, retain_graph=True)
    error = (coded.quantized - latents).square().mean()
    (asked_for,) = torch.autograd.grad(error, quantizer.log_variance)
    assert alone < 0 < asked_for


def test_a_temperature_that_is_held_is_that_of_the_relaxed_draw_in_squared_distance() -> None:
    quantizer, latents = built(), normal(2, DIM, 3, 3)
    width = 2 * quantizer.variance.item()
    quantizer.anneal(0.0)
    assert quantizer.temperature == pytest.approx(width)
    quantizer.temperature = 0.25 * width
    held = quantizer(latents)
    assert held.diagnostics["temperature"].item() == pytest.approx(0.25 * width)
    other = built(temperature=TemperatureSchedule(0.25, 0.25, "constant"))
    torch.testing.assert_close(other(latents).quantized, held.quantized)
    torch.testing.assert_close(quantizer.temperature, 0.25 * width)


def test_the_published_settings() -> None:
    config = SQVAEConfig()
    assert config.temperature.at(0.0) == 1
    assert config.temperature.at(1.0) == pytest.approx(math.exp(-1e-5 * 356_000), rel=0.06)
    assert config.temperature.at(0.5) == pytest.approx(math.sqrt(0.03))
    assert set(config.default_loss_weights.values()) == {1 / (3 * 4**2)}


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"initial_variance": 0.0}, r"initial_variance is 0\.0"),
        ({"least_variance": -1.0}, r"least_variance is -1\.0"),
        ({"temperature": TemperatureSchedule(unit="per_dimension")}, "unit is 'per_dimension'"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, object], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        SQVAEConfig(**settings)
