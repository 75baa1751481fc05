"""How much of a small change of what the decoder sees is visible in the picture?"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from lgq_explore.models import Tokenizer


@dataclass(frozen=True, eq=False)
class DecodedStep:
    """A decoder at a place, and a step away from it, in the model's range [−1, 1].

    pictures: [B, 3, S, S], decoded at the place. first_order: [B, 3, S, S], J times the step.
    """

    pictures: Tensor
    first_order: Tensor


@torch.no_grad()
def decoded_step(tokenizer: Tokenizer, place: Tensor, step: Tensor) -> DecodedStep:
    """The picture at `place` and its derivative along `step`, both [B, E, H, W] in the space of `Quantizer.continuous`.

    J is the Jacobian of all pixels of a picture by all of its tokens, so that changes of neighbouring tokens add up
    where both are seen. One pass forward (torch.func.jvp); J itself is never held. The tokenizer is in eval mode.
    """

    def decode(points: Tensor) -> Tensor:
        return tokenizer.decode(tokenizer.quantizer.decoder_input(points))

    # Of the kernels of attention only the plain one has a derivative in forward mode. The first derivative of a process
    # makes torch script some of its own functions, of which it then warns.
    with sdpa_kernel(SDPBackend.MATH), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated", category=FutureWarning)
        decoded = torch.func.jvp(decode, (place,), (step,))
    return DecodedStep(pictures=decoded[0], first_order=decoded[1])
