"""Tensors of all tokens and all codes, which no method may make, and large codebooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lgq_explore.quantizers import Quantizer, to_grid

from .method import DIM, LARGE_SIZES, Check, Method, random_latents, require, require_equal

TOKENS = CODES = 4096


class LargestTensor(TorchDispatchMode):
    """Records the most elements that any tensor made inside has."""

    elements = 0

    def __torch_dispatch__(self, func: Callable[..., Any], types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        sizes = [
            leaf.untyped_storage().nbytes() // leaf.element_size()
            for leaf in tree_leaves(result)
            if isinstance(leaf, Tensor)
        ]
        self.elements = max(self.elements, *sizes, 0)
        return result


def largest_tensor(quantizer: Quantizer, latents: Tensor) -> int:
    """Elements of the largest tensor made in a training step and an encoding."""
    with LargestTensor() as recorded:
        output = quantizer.train()(latents.requires_grad_())
        (output.quantized.square().sum() + sum(output.losses.values())).backward()
        quantizer.eval()(latents)
    return recorded.elements


def no_tensor_of_tokens_and_codes_is_made(method: Method) -> None:
    """No tensor of all tokens × all codes is made, in training and in encoding."""
    tokens = torch.randn(TOKENS, DIM, generator=torch.Generator().manual_seed(0))
    quantizer = method.built(CODES, tokens=tokens)
    elements = largest_tensor(quantizer, to_grid(tokens, torch.empty(4, DIM, 32, 32)))
    most = TOKENS * CODES // 8
    require(elements <= most, f"a tensor of {elements:,d} elements is made of {TOKENS} tokens and {CODES} codes")


def large_codebooks_work(method: Method) -> None:
    """Codebooks of up to 65,536 codes are built, take a training step, and look up their codes."""
    for size in LARGE_SIZES:
        quantizer = method.config.for_codebook_size(size).build(DIM, torch.Generator().manual_seed(0))
        latents = random_latents(1, DIM, 4, 4).requires_grad_()
        output = quantizer(latents)
        (output.quantized.square().sum() + sum(output.losses.values())).backward()
        require(latents.grad is not None and latents.grad.isfinite().all(), f"at K = {size} the gradient is not finite")
        codes = quantizer.eval()(latents).codes
        require((codes.amax() < max(quantizer.levels)), f"at K = {size} codes lie outside of the levels")
        require_equal(quantizer.lookup(codes), quantizer(latents).quantized, f"at K = {size} lookup is not forward")


CHECKS: list[Check] = [no_tensor_of_tokens_and_codes_is_made, large_codebooks_work]
