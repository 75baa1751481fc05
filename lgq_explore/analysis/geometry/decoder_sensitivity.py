"""Directional derivative of decoded pictures with respect to the decoder's input."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from lgq_explore.models import Tokenizer


@dataclass(frozen=True, eq=False)
class DecodedStep:
    """Decoded pictures at a place and their first-order change along a step, in the model's range [−1, 1].

    pictures: [B, 3, S, S], decoded at the place. first_order: [B, 3, S, S], J times the step.
    """

    pictures: Tensor
    first_order: Tensor


def decoded_step(tokenizer: Tokenizer, place: Tensor, step: Tensor) -> DecodedStep:
    """The picture at `place` and its derivative along `step`, both [B, P, H, W] in the space of `Quantizer.continuous`.

    J is the Jacobian of all pixels of a picture with respect to all of its tokens, so that changes of neighbouring
    tokens add up in pixels that depend on both. J is never stored: J v is the derivative with respect to u of uᵀJ v,
    which takes one forward and two backward passes. The tokenizer is in eval mode.
    """

    def decode(points: Tensor) -> Tensor:
        return tokenizer.decode(tokenizer.quantizer.decoder_input(points))

    with _PlainAttention():
        pictures, first_order = torch.autograd.functional.jvp(decode, place, step)
    return DecodedStep(pictures, first_order)


class _PlainAttention(TorchFunctionMode):
    """Attention by its formula, in this thread only: torch's fast kernels have no second derivative.

    torch.nn.attention.sdpa_kernel would choose the kernel for the whole process, in which a run may be training.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value
