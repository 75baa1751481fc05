"""Normalisations of tokens [N, D] before they are quantized, as a part of the method."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from .base import Quantizer, to_grid, to_tokens

NORMS = ("layer", "batch", "none")
"""Over D of each token; of each dimension over the batch (a running standardisation, no affine); none."""


class NormalizedVectors(Quantizer):
    """A quantizer of tokens [N, D] that `_normalize_by` gives a norm, when it is made."""

    norm: nn.Module

    def continuous(self, latents: Tensor) -> Tensor:
        return to_grid(self._normalized(latents), latents)

    def _normalize_by(self, norm: str) -> None:
        self.norm = _module(norm, self.dim)

    def _normalized(self, latents: Tensor) -> Tensor:
        """Latents [B, D, H, W] → tokens [N, D], normalised."""
        # Distances are taken in float32: under bfloat16 autocast up to 3 % of the codes would flip.
        return self.norm(to_tokens(latents).to(torch.promote_types(latents.dtype, torch.float32)))

    @torch.no_grad()
    def _normalized_first(self, tokens: Tensor) -> Tensor:
        """Raw tokens [N, D] as eval mode normalises them, once running statistics have been set to theirs."""
        if not isinstance(self.norm, nn.BatchNorm1d):
            return self.norm(tokens)
        self.norm.running_mean, self.norm.running_var = tokens.mean(0), tokens.var(0)
        return functional.batch_norm(tokens, self.norm.running_mean, self.norm.running_var, eps=self.norm.eps)


def _module(norm: str, dim: int) -> nn.Module:
    match norm:
        case "layer":
            return nn.LayerNorm(dim)
        case "batch":
            return nn.BatchNorm1d(dim, affine=False)
        case _:
            return nn.Identity()
