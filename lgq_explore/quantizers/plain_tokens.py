"""Codes and code vectors of a quantizer for tokens [N, D] that do not lie in a grid of latents."""

from __future__ import annotations

import torch
from torch import Tensor

from .base import Quantizer, joint_codes, split_codes, to_tokens

CODES_AT_ONCE = 2**16
TOKENS_AT_ONCE = 2**16


def as_latents(tokens: Tensor) -> Tensor:
    """[N, D] → [N, D, 1, 1]: each token becomes an image with a single position."""
    return tokens[:, :, None, None]


@torch.no_grad()
def codes_of(quantizer: Quantizer, tokens: Tensor) -> Tensor:
    """The joint code [N] of each token [N, D], by a quantizer in eval mode."""
    parts = tokens.float().split(TOKENS_AT_ONCE)
    return torch.cat([joint_codes(quantizer(as_latents(part)).codes, quantizer.levels).flatten() for part in parts])


@torch.no_grad()
def code_vectors(quantizer: Quantizer) -> Tensor:
    """The vector that each joint code is decoded to, in the space of the latents: [K, D], on the CPU.

    For a grid these are its lattice points after the output projection. Raises InputError if there are too many.
    """
    quantizer.require_listed()
    every = torch.arange(quantizer.codebook_size).split(CODES_AT_ONCE)
    device = quantizer.codebooks()[0].device
    parts = [quantizer.lookup(split_codes(part[:, None, None].to(device), quantizer.levels)) for part in every]
    return torch.cat([to_tokens(part).cpu() for part in parts])
