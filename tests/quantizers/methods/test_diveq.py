"""Tests of DiVeQ against its formula, and of the replacement of codes that nobody uses."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from lgq_explore.quantizers import DiVeQConfig, to_tokens
from lgq_explore.quantizers.methods.diveq import DiVeQ
from lgq_explore.quantizers.noise import Noise

SIZE, DIM = 12, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def built(size: int = SIZE, **settings: float) -> DiVeQ:
    config = replace(DiVeQConfig(size), **settings)
    quantizer = config.build(DIM, torch.Generator().manual_seed(0)).double()
    assert isinstance(quantizer, DiVeQ)
    return quantizer


def by_the_formula(tokens: Tensor, codebook: Tensor, deviation: float, step: int) -> Tensor:
    """z + |c − z| sg(v/|v|), v = noise + (c − z)."""
    way = codebook[torch.cdist(tokens, codebook).argmin(1)] - tokens
    v = way + deviation * Noise(step, len(tokens)).normal(DIM, tokens.device)
    return (
        tokens + torch.linalg.norm(way, dim=1, keepdim=True) * (v / torch.linalg.norm(v, dim=1, keepdim=True)).detach()
    )


@pytest.mark.parametrize("deviation", [1e-3, 0.5])
def test_vectors_and_gradients_are_those_of_the_formula(deviation: float) -> None:
    quantizer, latents = built(noise=deviation), normal(4, DIM, 4, 3, seed=1).requires_grad_()
    codebook = quantizer.codebook.detach().clone().requires_grad_()
    ours, upstream = to_tokens(quantizer(latents).quantized), normal(48, DIM, seed=2)
    expected = by_the_formula(to_tokens(latents), codebook, deviation, step=1)
    torch.testing.assert_close(ours, expected)
    mine = torch.autograd.grad((ours * upstream).sum(), (latents, quantizer.codebook))
    theirs = torch.autograd.grad((expected * upstream).sum(), (latents, codebook))
    for gradient, other in zip(mine, theirs, strict=True):
        torch.testing.assert_close(gradient, other)


def test_without_noise_the_token_hears_all_but_the_way_to_its_code_and_the_code_hears_the_way() -> None:
    """dq/dz = I − w wᵀ and dq/dc = w wᵀ, w the direction from token to code."""
    quantizer = built(noise=0.0)
    token, codebook = normal(DIM, seed=3), quantizer.codebook.detach()
    code = torch.cdist(token[None], codebook).argmin().item()
    way = torch.nn.functional.normalize(codebook[code] - token, dim=0)

    def quantize(token: Tensor, codebook: Tensor) -> Tensor:
        vectors = codebook[code][None]
        return quantizer._with_gradient(vectors, token[None])[0]

    of_token, of_code = torch.autograd.functional.jacobian(quantize, (token, codebook))
    torch.testing.assert_close(of_code[:, code], torch.outer(way, way))
    torch.testing.assert_close(of_token, torch.eye(DIM).double() - torch.outer(way, way))


def test_training_misses_the_code_by_the_noise_at_most_and_evaluation_does_not() -> None:
    quantizer, latents = built(), normal(40, DIM, 4, 3, seed=1)
    trained, evaluated = quantizer(latents).quantized, quantizer.eval()(latents).quantized
    missed = (trained - evaluated).norm(dim=1)
    assert 0 < missed.max() < 6 * 1e-3 * DIM**0.5
    assert missed.mean().item() == pytest.approx(1e-3 * (DIM - 1) ** 0.5, rel=0.15)  # across the way
    nearest = torch.cdist(to_tokens(latents), quantizer.codebook).argmin(1)
    assert torch.equal(to_tokens(evaluated), quantizer.codebook[nearest])


def test_a_token_on_its_code_stays_there_and_has_a_finite_gradient() -> None:
    quantizer = built()
    latents = quantizer.codebook.detach().clone()[:, :, None, None].requires_grad_()
    coded = quantizer(latents).quantized
    torch.testing.assert_close(coded, latents)
    coded.square().sum().backward()
    assert latents.grad.isfinite().all()
    assert quantizer.codebook.grad.isfinite().all()


def test_there_are_no_losses() -> None:
    assert built()(normal(1, DIM, 2, 2)).losses == DiVeQConfig.default_loss_weights == {}


# Replacement


def latents_near(quantizer: DiVeQ, codes: list[int], repeats: int = 1) -> Tensor:
    return quantizer.codebook.detach()[codes].repeat(repeats, 1)[:, :, None, None] + 0.01


def test_codes_that_no_step_used_become_copies_of_others_by_how_many_steps_used_these() -> None:
    quantizer = built(size=1000, replacement_steps=4)
    before = quantizer.codebook.detach().clone()
    for codes in ([0, 1], [0], [0]):
        quantizer(latents_near(quantizer, codes, repeats=50))
    assert quantizer.steps_used[:3].tolist() == [3, 1, 0]  # steps, and not tokens
    assert torch.equal(quantizer.codebook, before)
    quantizer(latents_near(quantizer, [0, 1]))
    after = quantizer.codebook.detach()
    assert torch.equal(after[:2], before[:2])
    copied = torch.cdist(after[2:], before[:2])
    assert copied.min(1).values.max() < 1e-7
    assert (copied.argmin(1) == 0).double().mean().item() == pytest.approx(4 / 6, abs=0.08)
    assert quantizer.steps_used.sum() == 0


def test_a_code_used_in_the_share_of_steps_that_is_asked_for_stays() -> None:
    quantizer = built(replacement_steps=4, replace_below=0.5)
    before = quantizer.codebook.detach().clone()
    for codes in ([0, 1, 2], [0, 1], [0], [0]):
        quantizer(latents_near(quantizer, codes))
    changed = (quantizer.codebook != before).any(1)
    assert changed.tolist() == [False, False, *[True] * 10]


def test_where_no_code_is_used_enough_none_is_replaced_and_0_steps_replace_never() -> None:
    for settings in ({"replacement_steps": 2, "replace_below": 1.0}, {"replacement_steps": 0}):
        quantizer = built(**settings)
        before = quantizer.codebook.detach().clone()
        for codes in ([0], [1], [2], [3]):
            quantizer(latents_near(quantizer, codes))
        assert torch.equal(quantizer.codebook, before)


def test_noise_and_replacement_go_on_from_the_step_that_was_saved() -> None:
    one, other, latents = built(replacement_steps=3), built(replacement_steps=3), normal(1, DIM, 1, 2)
    one(latents)
    other.load_state_dict(one.state_dict())
    for _ in range(3):
        assert torch.equal(one(latents).quantized, other(latents).quantized)
    assert torch.equal(one.codebook, other.codebook)


def test_the_published_settings() -> None:
    config = DiVeQConfig()
    published = (config.noise, config.replacement_steps, config.replace_below, config.perturbation)
    assert published == (0.001, 100, 0.01, 1e-9)


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"noise": -1.0}, r"noise is -1\.0"),
        ({"replacement_steps": -1}, "replacement_steps is -1"),
        ({"replace_below": 1.5}, r"replace_below is 1\.5"),
        ({"perturbation": float("nan")}, "perturbation is nan"),
    ],
)
def test_settings_out_of_range_are_named(settings: dict[str, float], complaint: str) -> None:
    with pytest.raises(ValueError, match=complaint):
        DiVeQConfig(**settings)
