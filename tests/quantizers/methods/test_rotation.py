"""Tests of the rotation trick against its geometry and vector-quantize-pytorch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from vector_quantize_pytorch import VectorQuantize

from lgq_explore.quantizers import RotationConfig, VQConfig
from lgq_explore.quantizers.methods.rotation import RotationVQ, rotated
from lgq_explore.quantizers.methods.vq import SMOOTHING

SIZE, DIM = 24, 5


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def gradient_of_tokens(tokens: Tensor, onto: Tensor, upstream: Tensor) -> Tensor:
    leaf = tokens.clone().requires_grad_()
    (gradient,) = torch.autograd.grad((rotated(leaf, onto) * upstream).sum(), leaf)
    return gradient


def test_tokens_become_what_they_are_rotated_onto() -> None:
    tokens, onto = normal(50, DIM), normal(50, DIM, seed=1)
    torch.testing.assert_close(rotated(tokens, onto), onto)


def test_the_gradient_keeps_its_angle_and_is_scaled_by_the_ratio_of_lengths() -> None:
    tokens, onto, upstream = normal(50, DIM), normal(50, DIM, seed=1), normal(50, DIM, seed=2)
    gradient = gradient_of_tokens(tokens, onto, upstream)
    angle = functional.cosine_similarity(upstream, onto)
    torch.testing.assert_close(functional.cosine_similarity(gradient, tokens), angle)
    assert (functional.cosine_similarity(upstream, tokens) - angle).abs().max() > 0.5  # of the straight-through one
    torch.testing.assert_close(gradient.norm(dim=1), upstream.norm(dim=1) * onto.norm(dim=1) / tokens.norm(dim=1))


def test_a_quarter_turn_by_hand() -> None:
    """From (2, 0, 0) onto (0, 6, 0): what pushes the code along itself, across and upwards, three times as strong."""
    tokens, onto = torch.tensor([[2.0, 0, 0]] * 3), torch.tensor([[0.0, 6, 0]] * 3)
    pushes = torch.tensor([[0.0, 1, 0], [1, 0, 0], [0, 0, 1]])
    expected = torch.tensor([[3.0, 0, 0], [0, -3, 0], [0, 0, 3]])
    torch.testing.assert_close(gradient_of_tokens(tokens, onto, pushes), expected)


def test_opposite_vectors_are_reflected() -> None:
    token, push = normal(1, DIM), normal(1, DIM, seed=1)
    torch.testing.assert_close(rotated(token, -2 * token), -2 * token)
    along = (push * token).sum() / token.square().sum() * token
    torch.testing.assert_close(gradient_of_tokens(token, -2 * token, push), 2 * (push - 2 * along))


@pytest.mark.parametrize(("token", "code"), [(0.0, 1.0), (1.0, 0.0), (0.0, 0.0), (1e-30, 1.0)])
def test_without_a_direction_the_gradient_goes_straight_through(token: float, code: float) -> None:
    upstream = normal(3, DIM)
    gradient = gradient_of_tokens(torch.full((3, DIM), token), torch.full((3, DIM), code), upstream)
    assert torch.equal(gradient, upstream)


def test_codes_values_losses_gradients_and_averages_are_the_librarys() -> None:
    torch.manual_seed(0)
    reference = VectorQuantize(
        DIM, SIZE, accept_image_fmap=True, rotation_trick=True, eps=SMOOTHING, threshold_ema_dead_code=0
    )
    ours = RotationConfig(SIZE).build(DIM)
    assert isinstance(ours, RotationVQ)
    assert reference._codebook.decay == ours.config.decay
    ours.codebook.copy_(reference.codebook)
    ours.sums.copy_(reference.codebook)
    for step in range(4):
        latents = [normal(4, DIM, 4, 3, seed=step).requires_grad_() for _ in range(2)]
        coded, (quantized, codes, loss) = ours(latents[0]), reference(latents[1])
        our_loss = ours.config.default_loss_weights["commitment"] * coded.losses["commitment"]
        assert torch.equal(coded.codes[:, 0], codes)
        torch.testing.assert_close(coded.quantized, quantized)
        torch.testing.assert_close(our_loss, loss)
        direction = normal(4, DIM, 4, 3, seed=100 + step)
        ((coded.quantized * direction).sum() + our_loss).backward()
        ((quantized * direction).sum() + loss).backward()
        torch.testing.assert_close(latents[0].grad, latents[1].grad, rtol=1e-4, atol=1e-4)
        torch.testing.assert_close(ours.codebook, reference.codebook)


def test_the_gradient_is_all_that_differs_from_vq_with_its_settings() -> None:
    tokens, latents = normal(2 * SIZE, DIM), normal(4, DIM, 4, 3, seed=1)
    gradients, states = [], []
    for config in (VQConfig(SIZE), RotationConfig(SIZE, decay=0.99, restart_below=0.05)):
        quantizer, leaf = config.build(DIM), latents.clone().requires_grad_()
        quantizer.initialize(tokens, torch.Generator().manual_seed(0))
        coded = quantizer(leaf)
        states.append((coded.codes, coded.losses["commitment"], *quantizer.state_dict().values()))
        gradients.append(torch.autograd.grad(coded.quantized.square().sum(), leaf)[0])
    assert all(torch.equal(one, other) for one, other in zip(*states, strict=True))
    assert not math.isclose(gradients[0].norm().item(), gradients[1].norm().item(), rel_tol=1e-2)
