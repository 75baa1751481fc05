"""Tests of LGQ's gradient estimators: the value of each, and the gradients of each of its paths."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from lgq_explore.analysis.temperature.estimators import lgq_estimator, split_estimator
from lgq_explore.quantizers import LGQConfig, TemperatureSchedule
from lgq_explore.quantizers.estimators import ESTIMATORS
from lgq_explore.quantizers.methods.lgq import LGQ

TEMPERATURE, SHARE, BETA = 0.7, 0.3, 0.25


def lgq(estimator: str, share: float = SHARE, beta: float = BETA) -> LGQ:
    schedule = TemperatureSchedule(TEMPERATURE, TEMPERATURE, "constant")
    config = LGQConfig(16, schedule, norm="none", estimator=estimator, identity_share=share, commitment=beta)
    return config.build(5, torch.Generator().manual_seed(0)).double()


def some_latents() -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(2, 5, 3, 3, generator=generator, dtype=torch.float64).requires_grad_()


@dataclass(frozen=True)
class Gradients:
    latents: Tensor
    centres: Tensor


def decoder_gradients(quantizer: LGQ, latents: Tensor) -> Gradients:
    """Of a linear decoder."""
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    return Gradients(
        *torch.autograd.grad((quantizer(latents).quantized * direction).sum(), [latents, quantizer.centres])
    )


def loss_gradients(quantizer: LGQ, latents: Tensor) -> Gradients:
    loss = quantizer(latents).losses["quantization"]
    return Gradients(*torch.autograd.grad(loss, [latents, quantizer.centres]))


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_value_is_that_of_the_chosen_codes(estimator: str) -> None:
    quantizer, latents = lgq(estimator), some_latents()
    torch.testing.assert_close(quantizer(latents).quantized, quantizer.eval()(latents).quantized, rtol=0, atol=1e-12)


def test_split_gives_the_encoder_the_identity_and_the_centres_the_posterior() -> None:
    latents = some_latents()
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    split, paper = decoder_gradients(lgq("split"), latents), decoder_gradients(lgq("paper"), latents)
    torch.testing.assert_close(split.latents, direction, rtol=0, atol=1e-12)
    torch.testing.assert_close(split.centres, paper.centres, rtol=0, atol=1e-12)
    assert not torch.allclose(split.latents, paper.latents, atol=0.1)


@pytest.mark.parametrize(("estimator", "of_analysis"), [("paper", lgq_estimator), ("split", split_estimator)])
def test_the_estimators_of_the_analysis_have_the_same_gradients(estimator: str, of_analysis: object) -> None:
    quantizer, latents = lgq(estimator), some_latents()
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    value = (of_analysis(quantizer, latents, TEMPERATURE) * direction).sum()  # type: ignore[operator]
    expected = torch.autograd.grad(value, [latents, quantizer.centres])
    ours = decoder_gradients(quantizer, latents)
    torch.testing.assert_close(ours.latents, expected[0], rtol=0, atol=1e-12)
    torch.testing.assert_close(ours.centres, expected[1], rtol=0, atol=1e-12)


@pytest.mark.parametrize("gradients", [decoder_gradients, loss_gradients], ids=["decoder", "loss"])
def test_the_mixture_has_a_share_of_each_gradient(gradients: object) -> None:
    latents = some_latents()
    paper, split, mixed = (gradients(lgq(name), latents) for name in ESTIMATORS)  # type: ignore[operator]
    torch.testing.assert_close(mixed.latents, (1 - SHARE) * paper.latents + SHARE * split.latents)
    torch.testing.assert_close(mixed.centres, (1 - SHARE) * paper.centres + SHARE * split.centres)


@pytest.mark.parametrize(("share", "same_as"), [(0.0, "paper"), (1.0, "split")])
def test_the_ends_of_the_mixture_are_the_two_estimators(share: float, same_as: str) -> None:
    latents = some_latents()
    mixed, end = (decoder_gradients(quantizer, latents) for quantizer in (lgq("mixture", share), lgq(same_as)))
    torch.testing.assert_close(mixed.latents, end.latents)
    torch.testing.assert_close(mixed.centres, end.centres)


def test_the_split_loss_pulls_centres_by_the_posterior_and_tokens_by_beta() -> None:
    quantizer, latents = lgq("split"), some_latents()
    tokens = latents.detach().movedim(1, -1).flatten(0, -2)
    centres = quantizer.centres.detach().clone().requires_grad_()
    p = (-torch.cdist(tokens, centres).square() / TEMPERATURE).softmax(1)
    hard = centres.detach()[p.argmax(1)]
    # Forward q_hard, backward q_soft: the derivative of ½|q − z|² in q is taken at q_hard.
    (of_centres,) = torch.autograd.grad((p @ centres * 2 * (hard - tokens)).sum() / tokens.numel(), centres)
    ours = loss_gradients(quantizer, latents)
    torch.testing.assert_close(ours.centres, of_centres)
    of_tokens = BETA * 2 * (tokens - hard) / tokens.numel()
    torch.testing.assert_close(ours.latents.movedim(1, -1).flatten(0, -2), of_tokens)
    loss = quantizer(latents).losses["quantization"]
    assert loss.item() == pytest.approx((1 + BETA) * (tokens - hard).square().mean().item())


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_reported_gain_is_the_mean_diagonal_of_what_the_encoder_hears(estimator: str) -> None:
    quantizer = lgq(estimator)
    token = some_latents()[:1, :, :1, :1].detach()

    def quantize(latents: Tensor) -> Tensor:
        return quantizer(latents).quantized.flatten()

    jacobian = torch.autograd.functional.jacobian(quantize, token).flatten(1)
    gain = quantizer(token).diagnostics["encoder_gain_mean"]
    assert gain.item() == pytest.approx(jacobian.diagonal().mean().item(), rel=1e-9)


def test_regularizers_reach_the_encoder_by_every_estimator() -> None:
    for estimator in ESTIMATORS:
        latents = some_latents()
        (gradient,) = torch.autograd.grad(lgq(estimator)(latents).losses["peakedness"], latents)
        assert gradient.abs().max() > 0


def test_settings_out_of_range_are_named() -> None:
    for field, value in (("estimator", "straight"), ("identity_share", 1.5), ("commitment", -1.0)):
        with pytest.raises(ValueError, match=f"{field} is {value!r}"):
            LGQConfig(**{field: value})
