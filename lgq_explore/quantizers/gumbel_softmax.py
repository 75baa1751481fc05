"""The Gumbel-softmax relaxation of a draw among K codes, without a table of tokens × codes.

Jang et al. 2016, arXiv 1611.01144; Maddison et al. 2016, arXiv 1611.00712. With logits l [N, K], noise g of the
standard Gumbel distribution and a temperature τ:

    y = softmax_k((l + g)/τ)      q = Σ_k y_k v_k

The largest l + g is a draw from softmax(l), and so is y in the limit τ → 0. Gradients take g for a constant.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from .noise import Noise
from .soft_assignment.tiles import strips


def gumbel_softmax(q: Tensor, k: Tensor, v: Tensor, temperature: float | Tensor, step: int) -> Tensor:
    """Expected values [N, F] of v [K, F] under the relaxed draw with logits q kᵀ, of q [N, E] and k [K, E].

    Differentiable in q, k, v and a temperature that is a tensor. Computes in float32 (float64 for float64 input), even
    under autocast. step: draws of other steps are independent. The backward pass computes each strip of tokens again,
    with the same noise.
    """
    dtype = torch.float64 if q.dtype == torch.float64 else torch.float32
    noise = Noise.of_batch(step, len(q))
    q, k, v = q.to(dtype), k.to(dtype), v.to(dtype)

    def relaxed(rows: slice, q: Tensor, k: Tensor, v: Tensor, temperature: float | Tensor) -> Tensor:
        with torch.autocast(q.device.type, enabled=False):
            logits = q @ k.T + noise.gumbel(rows, len(k), q.device)
            return (logits / temperature).softmax(1) @ v

    parts = [
        checkpoint(relaxed, strip.rows, q[strip.rows], k, v, temperature, use_reentrant=False, preserve_rng_state=False)
        for strip in strips(len(q), len(k), q.device)
    ]
    return torch.cat(parts)
