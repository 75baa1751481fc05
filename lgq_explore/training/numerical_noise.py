"""Repetitions of a training that differ in floating-point noise alone.

Two methods can only be told apart by differences larger than those between such repetitions.
"""

from __future__ import annotations

import torch

from lgq_explore.models import Tokenizer

NOISE = 1e-6
"""Relative change of the encoder's initial weights per replicate: eight times float32's resolution."""


@torch.no_grad()
def perturb_first_weights(tokenizer: Tokenizer, replicate: int) -> None:
    """Multiply the encoder's initial weights by 1 + `replicate`·NOISE, so that every later step rounds differently.

    replicate: `TrainConfig.rounding_replicate`; 0 leaves the weights unchanged.
    """
    for weight in tokenizer.encoder.parameters() if replicate else ():
        weight.mul_(1 + replicate * NOISE)
