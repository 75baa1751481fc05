"""Entropies of soft codes: how certain tokens are of theirs, and how evenly a batch uses all."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .distributed_mean import mean_over_processes
from .soft_assignment.autograd import soft_assign


@dataclass(frozen=True)
class Entropies:
    """Entropies of responsibilities p, in nats, with gradients. of_tokens: mean_n H(p_n). of_batch: H(mean_n p_n)."""

    of_tokens: Tensor
    of_batch: Tensor

    def loss(self, diversity: float) -> Tensor:
        """mean_n H(p_n) − γ H(mean_n p_n), γ = `diversity`: certain tokens, and codes that are used alike."""
        return self.of_tokens - diversity * self.of_batch

    def diagnostics(self) -> dict[str, Tensor]:
        """Both without gradient, under their names in the history."""
        return {"entropy_of_tokens": self.of_tokens.detach(), "entropy_of_batch": self.of_batch.detach()}


def soft_entropies(queries: Tensor, codes: Tensor) -> Entropies:
    """The entropies of p = softmax_k(queries·codes), of queries [N, E] and codes [K, E], without a table of N × K."""
    assignment = soft_assign(queries, codes, codes, finite=True)  # otherwise the loss is not, which is looked at
    of_tokens = assignment.lse - (queries * assignment.out).sum(1)
    return Entropies(of_tokens.mean(), entropy(mean_over_processes(assignment.usage)))


def entropy(probabilities: Tensor) -> Tensor:
    """−Σ p log p over all entries, in nats, with a finite derivative at 0."""
    tiny = torch.finfo(probabilities.dtype).tiny
    return -(probabilities * probabilities.clamp(min=tiny).log()).sum()
