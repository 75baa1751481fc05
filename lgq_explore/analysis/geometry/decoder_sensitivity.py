"""The derivative of a picture along a change of what the decoder sees."""

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
    """A decoder at a place, and a step away from it, in the model's range [−1, 1].

    pictures: [B, 3, S, S], decoded at the place. first_order: [B, 3, S, S], J times the step.
    """

    pictures: Tensor
    first_order: Tensor


def decoded_step(tokenizer: Tokenizer, place: Tensor, step: Tensor) -> DecodedStep:
    """The picture at `place` and its derivative along `step`, both [B, P, H, W] in the space of `Quantizer.continuous`.

    J is the Jacobian of all pixels of a picture by all of its tokens, so that changes of neighbouring tokens add up
    where both are seen. J itself is never held: J v is the derivative by u of uᵀJ v, a pass forward and two backward.
    The tokenizer is in eval mode.
    """

    def decode(points: Tensor) -> Tensor:
        return tokenizer.decode(tokenizer.quantizer.decoder_input(points))

    with _PlainAttention():
        pictures, first_order = torch.autograd.functional.jvp(decode, place, step)
    return DecodedStep(pictures, first_order)


class _PlainAttention(TorchFunctionMode):
    """Attention by its formula, as far as this thread sees: torch's fast kernels have no second derivative.

    torch.nn.attention.sdpa_kernel would choose the kernel for the whole process, where a run may be training.
    """

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not functional.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        query, key, value = args
        return (query @ key.mT / math.sqrt(query.shape[-1])).softmax(-1) @ value
