"""Gradients that reach the encoder, and the losses of a training step."""

from __future__ import annotations

import torch

from .method import Check, Method, random_latents, require, require_equal


def gradients_reach_the_encoder(method: Method) -> None:
    """The decoder's gradient reaches nearly every token, and that of the losses every one."""
    quantizer, latents = method.built(), random_latents().requires_grad_()
    output = quantizer(latents)
    require(output.quantized.requires_grad, "quantized carries no gradient in training mode")
    direction = torch.randn(latents.shape, generator=torch.Generator().manual_seed(2))
    (gradient,) = torch.autograd.grad((output.quantized * direction).sum(), latents, retain_graph=True)
    require(gradient.isfinite().all(), "the decoder's gradient is not finite")
    reached = (gradient.abs().amax(dim=1) > 0).double().mean().item()
    require(reached > 0.9, f"the decoder's gradient reaches {reached:.0%} of the tokens")
    weights = method.config.default_loss_weights
    if weights:
        total = sum(weights[name] * loss for name, loss in output.losses.items())
        (gradient,) = torch.autograd.grad(total, latents)
        reached = (gradient.abs().amax(dim=1) > 0).double().mean().item()
        require(reached == 1, f"the gradient of the losses reaches {reached:.0%} of the tokens")


def losses_have_weights(method: Method) -> None:
    """`forward` gives the losses that the config has weights for, and no others."""
    losses, weights = set(method.built()(random_latents()).losses), set(method.config.default_loss_weights)
    require(losses == weights, f"losses are {sorted(losses)}, default_loss_weights {sorted(weights)}")


def eval_mode_learns_nothing(method: Method) -> None:
    """`forward` in eval mode changes no parameter and no buffer."""
    quantizer = method.built().eval()
    before = {name: tensor.clone() for name, tensor in quantizer.state_dict().items()}
    quantizer(random_latents())
    for name, tensor in quantizer.state_dict().items():
        require_equal(tensor, before[name], f"{name} changes in eval mode")


CHECKS: list[Check] = [gradients_reach_the_encoder, losses_have_weights, eval_mode_learns_nothing]
