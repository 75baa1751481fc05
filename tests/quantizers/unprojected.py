"""A method with projections that change nothing, so that latents are what it rounds, and codes what it decodes."""

from __future__ import annotations

import torch

from lgq_explore.quantizers import Quantizer
from lgq_explore.quantizers.methods.fsq import FSQ, GridConfig
from lgq_explore.quantizers.signs import SignConfig, SignQuantizer


def grid(config: GridConfig) -> FSQ:
    """For latents of width len(levels)."""
    quantizer = config.build(len(config.levels))
    assert isinstance(quantizer, FSQ)
    _without_projections(quantizer, quantizer.project_in, quantizer.project_out)
    return quantizer


def signs(config: SignConfig) -> SignQuantizer:
    """For latents of width b."""
    quantizer = config.build(config.bits)
    assert isinstance(quantizer, SignQuantizer)
    _without_projections(quantizer, quantizer.project_in, quantizer.project_out)
    return quantizer


@torch.no_grad()
def _without_projections(quantizer: Quantizer, *projections: torch.nn.Linear) -> None:
    for projection in projections:
        projection.weight.copy_(torch.eye(quantizer.dim))
        projection.bias.zero_()
