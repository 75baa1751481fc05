"""Normalisations of tokens [N, D] before they are quantized."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

NORMS = ("layer", "batch", "none")
"""Over D of each token; of each dimension over the batch (a running standardisation, no affine); none."""


def token_norm(norm: str, dim: int) -> nn.Module:
    """A module from tokens [N, D = `dim`] to normalised ones, for one of NORMS."""
    match norm:
        case "layer":
            return nn.LayerNorm(dim)
        case "batch":
            return nn.BatchNorm1d(dim, affine=False)
        case _:
            return nn.Identity()


@torch.no_grad()
def start_norm(norm: nn.Module, tokens: Tensor) -> Tensor:
    """Tokens [N, D] as `norm` gives them in eval mode, once running statistics have been set to theirs."""
    if not isinstance(norm, nn.BatchNorm1d):
        return norm(tokens)
    norm.running_mean, norm.running_var = tokens.mean(0), tokens.var(0)
    return functional.batch_norm(tokens, norm.running_mean, norm.running_var, eps=norm.eps)


def fewest_tokens(norm: str) -> int:
    """The fewest tokens in a batch that can be normalised in training."""
    return 2 if norm == "batch" else 1  # a single token has no variance
