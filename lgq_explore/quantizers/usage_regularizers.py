"""L_usage in its forms: how unevenly a batch shares its codes, from the mean responsibilities u_k = mean_n p_nk.

    published   K Σ_k u_k²                               in [1, K]; arXiv 2602.16086
    unbiased    (N K Σ_k u_k² − K mean_n Σ_k p_nk²)/(N − 1)
    kl          KL(u ‖ uniform) = log K + Σ_k u_k log u_k   in [0, log K]

The published form cannot fall below (K/N) mean Σp²: with K ≳ N it flattens p instead of spreading the usage. The
unbiased one estimates K Σ_k E[p_k]² over N independent tokens; in a single batch it may lie below 1. The divergence is
of second order the published one, KL ≈ (K Σu² − 1)/2 near even usage, and grows only logarithmically far from it.
None is a mean over tokens, so processes that train together average the responsibilities, not the losses.
"""

from __future__ import annotations

import math

from torch import Tensor

from .assignment import SoftAssignment
from .distributed_mean import mean_over_processes, world_size
from .entropies import entropy

USAGE_FORMS = ("published", "unbiased", "kl")


def usage_regularizers(assignment: SoftAssignment) -> dict[str, Tensor]:
    """L_usage by form, of the tokens of all processes."""
    size, tokens = len(assignment.usage), len(assignment.s2) * world_size()
    usage = mean_over_processes(assignment.usage)
    published = size * usage.square().sum()
    unbiased = (tokens * published - size * mean_over_processes(assignment.s2.mean())) / max(1, tokens - 1)
    return {"published": published, "unbiased": unbiased, "kl": math.log(size) - entropy(usage)}
