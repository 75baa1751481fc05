"""Codes in float64, and under bfloat16 autocast."""

from __future__ import annotations

import torch

from .method import Check, Method, clear_positions, random_latents, require, require_equal


def float64_gives_the_same_codes(method: Method) -> None:
    """float64 gives the codes of float32, but for tokens on the border of two cells."""
    quantizer, latents = method.built().eval(), random_latents(40)
    codes = quantizer(latents).codes
    clear = clear_positions(quantizer, latents)
    share = clear.double().mean().item()
    require(share > 0.95, f"only {share:.0%} of the tokens are clearly in one cell")
    quantizer.double()
    output = quantizer(latents.double())
    require_equal(output.codes[clear], codes[clear], "float64 gives other codes than float32")
    require(output.quantized.dtype == torch.float64, f"of float64 latents, quantized is {output.quantized.dtype}")
    require_equal(quantizer.lookup(output.codes), output.quantized, "lookup is not what forward gives in float64")


def autocast_gives_the_same_codes(method: Method) -> None:
    """bfloat16 autocast gives the codes of float32, in training and in eval mode."""
    for training in (True, False):
        latents = random_latents(40)
        codes = method.built().train(training)(latents).codes
        with torch.autocast("cpu", torch.bfloat16):
            output = method.built().train(training)(latents)
        require_equal(output.codes, codes, "bfloat16 autocast gives other codes")
        for name, value in output.losses.items():
            require(value.isfinite(), f"the loss {name} is {value} under autocast")


def bfloat16_latents_are_taken(method: Method) -> None:
    """bfloat16 latents, as an encoder gives them under autocast, are quantized as those values in float32."""
    quantizer, latents = method.built(), random_latents().bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        output = quantizer(latents.requires_grad_())
        total = output.quantized.square().sum() + sum(output.losses.values())
    total.backward()
    require(
        latents.grad is not None and latents.grad.isfinite().all(), "the gradient of bfloat16 latents is not finite"
    )
    expected = method.built()(latents.detach().float()).codes
    require_equal(output.codes, expected, "bfloat16 latents take other codes than their values in float32")


CHECKS: list[Check] = [float64_gives_the_same_codes, autocast_gives_the_same_codes, bfloat16_latents_are_taken]
